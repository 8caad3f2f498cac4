"""Pure deciding: values in, values out. No clock, network, database or log; whoever needs the time is given it."""
