//! Own logs, own traces, own counters.
