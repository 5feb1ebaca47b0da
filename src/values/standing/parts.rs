//! English words for parts of what there is: see `scope`.

/// Kinds of places and things.
#[rustfmt::skip]
pub(super) const KINDS: &[&str] = &[
    "data", "database", "databases", "db", "table", "tables", "row", "rows", "record", "records", "column",
    "columns", "branch", "branches", "bucket", "buckets", "cluster", "clusters", "server", "servers", "host",
    "hosts", "machine", "machines", "environment", "environments", "env", "namespace", "namespaces", "repo",
    "repos", "repository", "repositories", "folder", "folders", "directory", "directories", "dir", "file", "files",
    "account", "accounts", "project", "projects", "service", "services", "system", "systems", "instance",
    "instances", "resource", "resources", "queue", "queues", "topic", "topics", "volume", "volumes", "disk",
    "disks", "deployment", "deployments", "pipeline", "pipelines", "infrastructure", "infra", "site", "website",
    "store",
];

/// Parts of a system or of its code, usual branches, environments.
#[rustfmt::skip]
pub(super) const PARTS: &[&str] = &[
    "test", "tests", "fixture", "fixtures", "snapshots", "migration", "migrations", "schema", "schemas", "docs",
    "documentation", "readme", "changelog", "config", "configs", "configuration", "lockfile", "makefile",
    "dockerfile", "workflow", "workflows", "ci", "dependencies", "permissions", "policy", "policies", "backup",
    "backups", "logs", "secrets", "credentials", "dns", "billing", "main", "master", "trunk", "production", "prod",
    "prd", "live", "staging", "stage", "stg", "development", "dev",
];

/// Before a place.
#[rustfmt::skip]
pub(super) const PREPOSITIONS: &[&str] = &[
    "in", "on", "to", "into", "onto", "from", "at", "against", "under", "inside", "within",
];

/// With these a noun is nothing that a call could be compared with.
#[rustfmt::skip]
pub(super) const VAGUE: &[&str] = &[
    "other", "others", "unrelated", "remaining", "rest", "same", "wrong", "right", "correct", "current", "new",
    "next", "following", "above", "below", "given", "such", "extra", "additional", "unnecessary", "irrelevant",
    "else", "many", "much", "too", "so", "just", "only", "both", "few", "its", "their", "your", "his", "her",
    "general", "particular", "there", "advance", "haste", "vain", "not", "how", "what", "why", "more", "further",
    "long", "big",
];

/// Before how something is to be done.
#[rustfmt::skip]
pub(super) const MANNERS: &[&str] = &[
    "so", "as", "while",
];

/// No noun goes across them.
#[rustfmt::skip]
pub(super) const STOPS: &[&str] = &[
    "is", "are", "was", "were", "be", "being", "been", "has", "have", "had", "must", "may", "might", "shall",
    "should", "can", "could", "will", "would", "does", "do", "did", "of", "for", "with", "about", "by", "between",
    "than", "like",
];

/// `anything but`.
#[rustfmt::skip]
pub(super) const EXCEPTIONS: &[&str] = &[
    "but",
];
