//! Who a request is from: the token file and the check of `Authorization: Bearer …`.
//!
//! ```yaml
//! - token: 6f0c…        # what the sender puts after `Bearer `
//!   tenant: checkout    # optional, `default`
//!   role: gateway       # optional: agent, gateway, policy_engine, evaluator, human_channel
//! ```
//!
//! Tokens are kept as BLAKE3 hashes and never printed, not even inside an error about the file.

use std::path::{Path, PathBuf};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::model::{Role, Tenant};

/// Longest tenant name: it becomes a label and part of every frame header.
const TENANT_MAX: usize = 64;

/// Who a request is from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Principal {
    /// Whose records they are.
    pub tenant: Tenant,
    /// What the sender is.
    pub role: Role,
}

/// The tokens that are accepted. Without a token file every request is from the default tenant, without a role.
#[derive(Clone, Default)]
pub struct Tokens {
    /// `None`: no token file. `Some` and empty: nobody may send.
    entries: Option<Vec<Entry>>,
}

#[derive(Clone)]
struct Entry {
    hash: [u8; 32],
    principal: Principal,
}

/// The request shows no token, or one that is not in the file. The reply does not say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request needs an `Authorization: Bearer` header with a known token")]
pub struct Unauthenticated;

/// Why a token file was not accepted. Shows places in the file, never its text.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file could not be read.
    #[error("cannot read the token file `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a list of entries, or an entry has an unknown key or role.
    #[error("line {line}, column {column}: expected a list of entries with `token`, `tenant` and `role`")]
    Shape {
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
    },
    /// A token that no header could carry, or none at all.
    #[error("entry {entry}: the token is empty or holds characters other than visible ASCII")]
    Unusable {
        /// Place in the list, from 1.
        entry: usize,
    },
    /// A tenant that could not be a label.
    #[error("entry {entry}: the tenant `{tenant}` is not 1 to {TENANT_MAX} letters, digits, `.`, `_` or `-`")]
    Tenant {
        /// Place in the list, from 1.
        entry: usize,
        /// The tenant as written.
        tenant: String,
    },
    /// Two entries share a token, so it would not say who the sender is.
    #[error("entries {first} and {second} have the same token")]
    Twice {
        /// Place of the earlier one, from 1.
        first: usize,
        /// Place of the later one, from 1.
        second: usize,
    },
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.entries {
            Some(entries) => write!(f, "Tokens({} entries)", entries.len()),
            None => f.write_str("Tokens(not required)"),
        }
    }
}

/// An entry as typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedEntry {
    token: String,
    #[serde(default = "default_tenant")]
    tenant: String,
    #[serde(default)]
    role: Role,
}

fn default_tenant() -> String {
    Tenant::DEFAULT.to_owned()
}

impl Tokens {
    /// No token file: everyone may send, as the default tenant.
    pub fn not_required() -> Self {
        Self::default()
    }

    /// Reads a token file. Warns in the log when other users of the machine can read it too.
    pub fn load(path: &Path) -> Result<Self, TokenError> {
        let read = |source| TokenError::Read { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(read)?;
        if readable_by_others(path) {
            tracing::warn!(path = %path.display(), "the token file is readable by every user of this machine");
        }
        Self::parse(&text)
    }

    /// Reads the text of a token file.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let typed: Vec<TypedEntry> = serde_saphyr::from_str(text).map_err(|error| {
            let place = error.location();
            TokenError::Shape {
                line: place.map_or(1, |place| place.line()),
                column: place.map_or(1, |place| place.column()),
            }
        })?;
        let mut entries: Vec<Entry> = Vec::with_capacity(typed.len());
        for (index, typed) in typed.into_iter().enumerate() {
            let entry = check(index + 1, typed)?;
            if let Some(first) = entries.iter().position(|earlier| earlier.hash == entry.hash) {
                return Err(TokenError::Twice { first: first + 1, second: index + 1 });
            }
            entries.push(entry);
        }
        Ok(Self { entries: Some(entries) })
    }

    /// Whether senders must show a token.
    pub fn are_required(&self) -> bool {
        self.entries.is_some()
    }

    /// Who sent a request with these headers. The time taken does not depend on which token is nearly right, nor on
    /// where in the file the right one is.
    pub fn admit(&self, headers: &HeaderMap) -> Result<Principal, Unauthenticated> {
        let Some(entries) = &self.entries else {
            return Ok(Principal::default());
        };
        let shown = blake3::hash(bearer(headers).ok_or(Unauthenticated)?);
        let mut found = u64::MAX;
        for (index, entry) in entries.iter().enumerate() {
            found.conditional_assign(&(index as u64), entry.hash[..].ct_eq(shown.as_bytes()));
        }
        let entry = usize::try_from(found).ok().and_then(|index| entries.get(index));
        Ok(entry.ok_or(Unauthenticated)?.principal.clone())
    }
}

fn check(entry: usize, typed: TypedEntry) -> Result<Entry, TokenError> {
    if typed.token.is_empty() || !typed.token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::Unusable { entry });
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if typed.tenant.is_empty() || typed.tenant.len() > TENANT_MAX || !typed.tenant.bytes().all(plain) {
        return Err(TokenError::Tenant { entry, tenant: typed.tenant });
    }
    Ok(Entry {
        hash: *blake3::hash(typed.token.as_bytes()).as_bytes(),
        principal: Principal { tenant: Tenant::new(&typed.tenant), role: typed.role },
    })
}

/// The token of `Authorization: Bearer …`; the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(unix)]
fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const FILE: &str = "- {token: alpha-0123, tenant: shop, role: gateway}\n\
                        - {token: beta-4567, tenant: shop, role: human_channel}\n\
                        - token: gamma-89\n";

    fn admit(tokens: &Tokens, value: &str) -> Option<(String, Role)> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).unwrap())]);
        tokens.admit(&headers).ok().map(|who| (who.tenant.to_string(), who.role))
    }

    #[test]
    fn a_token_names_tenant_and_role() {
        let tokens = Tokens::parse(FILE).unwrap();
        for (value, want) in [
            ("Bearer alpha-0123", Some(("shop", Role::Gateway))),
            ("bearer beta-4567", Some(("shop", Role::HumanChannel))),
            ("BEARER  gamma-89", Some(("default", Role::Unspecified))),
            ("Bearer alpha-012", None),
            ("Bearer alpha-01234", None),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic alpha-0123", None),
            ("alpha-0123", None),
        ] {
            let want = want.map(|(tenant, role)| (tenant.to_owned(), role));
            assert_eq!(admit(&tokens, value), want, "{value}");
        }
        assert_eq!(tokens.admit(&HeaderMap::new()), Err(Unauthenticated));
    }

    #[test]
    fn without_a_file_everyone_is_the_default_tenant_and_with_an_empty_one_nobody_is() {
        assert_eq!(admit(&Tokens::not_required(), "Bearer what-ever"), Some(("default".into(), Role::Unspecified)));
        assert_eq!(admit(&Tokens::parse("[]").unwrap(), "Bearer what-ever"), None);
    }

    #[test]
    fn a_bad_file_is_refused_and_no_refusal_shows_a_token() {
        for (text, want) in [
            ("hunter2secret", "line 1, column 1"),
            ("- hunter2secret", "line 1, column 3"),
            ("hunter2secret: shop", "line 1, column 1"),
            ("- {token: hunter2secret, tenant: shop, rolle: agent}", "line 1"),
            ("- {token: a}\n- {token: b, role: hunter2secret}", "line 2"),
            ("- {tenant: shop}", "line 1"),
            ("- {token: ''}", "entry 1: the token is empty"),
            ("- {token: ok}\n- {token: 'hunter2 secret'}", "entry 2: the token"),
            ("- {token: hunter2secret, tenant: 'a b'}", "entry 1: the tenant `a b`"),
            ("- {token: hunter2secret, tenant: ''}", "entry 1: the tenant ``"),
            ("- {token: hunter2secret}\n- {token: x}\n- {token: hunter2secret}", "entries 1 and 3"),
        ] {
            let error = Tokens::parse(text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(error.to_string().starts_with(want), "{text}: {shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        assert!(!format!("{:?}", Tokens::parse(FILE).unwrap()).contains("alpha"));
    }

    #[test]
    fn a_file_is_read_from_disk_or_named_in_the_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.yaml");
        let error = Tokens::load(&path).unwrap_err();
        assert!(error.to_string().contains("tokens.yaml`"), "{error}");
        std::fs::write(&path, FILE).unwrap();
        assert!(Tokens::load(&path).unwrap().are_required());
        assert!(!Tokens::not_required().are_required());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_everybody_can_read_is_noticed() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, noticed) in [(0o600, false), (0o640, false), (0o644, true)] {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(file.path(), permissions).unwrap();
            assert_eq!(readable_by_others(file.path()), noticed, "{mode:o}");
        }
    }
}
