//! A set of evidence to actions, turns and conversations.
