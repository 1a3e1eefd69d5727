"""The page of features: what narrows the list, the table, the chart, saved views."""
