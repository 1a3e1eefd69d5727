"""The page of two models: choice.py what it is about; a file for each of its four parts."""
