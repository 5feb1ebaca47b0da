//! The rule that keeps an unprotected listener on this machine: a pure check, made before any port is opened.

use std::net::SocketAddr;

/// A listener would be reachable from other machines without anything that protects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "refusing to listen on `{0}`: other machines could reach it and no token file is configured; \
     give a token file, listen on a loopback address such as `127.0.0.1:{port}`, or say `--insecure`",
    port = .0.port()
)]
pub struct Exposed(pub SocketAddr);

/// Agrees when every listener is on a loopback address, or senders need a token, or the operator said `--insecure`.
pub fn check_exposure(listeners: &[SocketAddr], has_tokens: bool, insecure: bool) -> Result<(), Exposed> {
    if has_tokens || insecure {
        return Ok(());
    }
    match listeners.iter().find(|address| !address.ip().to_canonical().is_loopback()) {
        Some(address) => Err(Exposed(*address)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_goes_unprotected() {
        for (address, alone) in [
            ("127.0.0.1:4317", true),
            ("127.8.8.8:4317", true),
            ("[::1]:4318", true),
            ("[::ffff:127.0.0.1]:4318", true),
            ("0.0.0.0:4317", false),
            ("[::]:4317", false),
            ("192.168.0.7:4318", false),
            ("[::ffff:10.0.0.1]:4318", false),
        ] {
            let address = address.parse().unwrap();
            let listeners = ["127.0.0.1:9464".parse().unwrap(), address];
            assert_eq!(check_exposure(&listeners, false, false).is_ok(), alone, "{address}");
            assert_eq!(check_exposure(&listeners, true, false), Ok(()));
            assert_eq!(check_exposure(&listeners, false, true), Ok(()));
        }
    }

    #[test]
    fn the_refusal_names_the_address_and_the_ways_out() {
        let refusal = check_exposure(&["0.0.0.0:4317".parse().unwrap()], false, false).unwrap_err().to_string();
        for part in ["`0.0.0.0:4317`", "token file", "`127.0.0.1:4317`", "`--insecure`"] {
            assert!(refusal.contains(part), "{refusal}");
        }
    }
}
