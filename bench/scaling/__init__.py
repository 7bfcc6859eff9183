"""Trying a cluster before there is one: the autoscaler's algorithm, pools that load slowly, traces of load, and what it all costs."""
