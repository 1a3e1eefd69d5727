"""Parts of the Feature page, one file each: what is drawn in a fragment or a drawer of its own."""
