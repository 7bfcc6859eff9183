"""What `chart_parse` is made of: the form of a chart, its grammar, its checks, its tables and the arithmetic on it."""
