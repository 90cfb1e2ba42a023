"""The importance page: what a model looks at over many windows."""
