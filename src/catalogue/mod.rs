//! Every metric once: name, type, unit, help, labels. Exposition, rules, dashboards and documentation read this table.
