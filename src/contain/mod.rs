//! Incidents: findings that belong together.
