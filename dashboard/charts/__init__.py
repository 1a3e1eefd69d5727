"""Numbers to Plotly figures as plain dictionaries; knows nothing of Streamlit.

Colours are left to the theme, which hands them out in trace order, so that one figure is right in
light and in dark. Every further figure costs a page as much again: one a region, panels by axis
domain. Each figure says its unit and its n.
"""
