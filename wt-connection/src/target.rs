use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use http::uri::{Authority, Scheme, Uri};

/// Where a connection goes: an authority and, where they differ from it, the name that the
/// server's certificate bears and the addresses to reach it at.
///
/// ```
/// use wt_connection::Target;
///
/// let target: Target = "https://example.com:4433".parse()?;
/// assert_eq!(target.to_string(), "example.com:4433");
///
/// // A replica, reached directly:
/// let replica = target.address("192.0.2.7:4433".parse()?);
/// assert_eq!(replica.host(), "example.com");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Target {
    authority: Authority,
    server_name: Option<Arc<str>>,
    addresses: Arc<[SocketAddr]>,
}

impl Target {
    /// Sets the name that is sent as SNI and that the certificate must bear; the host by default.
    #[must_use]
    pub fn server_name(mut self, server_name: impl Into<Arc<str>>) -> Self {
        self.server_name = Some(server_name.into());
        self
    }

    /// Adds an address to use in place of what the host's name resolves to.
    #[must_use]
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.addresses = self.addresses.iter().copied().chain([address]).collect();
        self
    }

    /// The authority, as requests bear it.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The host, without brackets if it is an IPv6 literal.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.authority.host();
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
    }

    /// The port; 443 where none is given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(443)
    }

    pub(crate) fn tls_name(&self) -> &str {
        self.server_name.as_deref().unwrap_or_else(|| self.host())
    }

    /// The addresses that need no resolver: those set by hand, or the host if it is a literal.
    pub(crate) fn known_addresses(&self) -> Option<Vec<SocketAddr>> {
        if !self.addresses.is_empty() {
            return Some(self.addresses.to_vec());
        }
        let ip: IpAddr = self.host().parse().ok()?;
        Some(vec![SocketAddr::new(ip, self.port())])
    }
}

impl TryFrom<&Uri> for Target {
    type Error = InvalidTarget;

    fn try_from(uri: &Uri) -> Result<Self, InvalidTarget> {
        if uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTPS) {
            return Err(InvalidTarget::NotHttps);
        }
        let authority = uri.authority().ok_or(InvalidTarget::NoAuthority)?;
        if authority.host().is_empty() || authority.as_str().contains('@') {
            return Err(InvalidTarget::NoAuthority);
        }
        Ok(Self {
            authority: authority.clone(),
            server_name: None,
            addresses: Arc::from([]),
        })
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        // Without the zone, which no authority can bear; the address below keeps it.
        let literal = SocketAddr::new(address.ip(), address.port()).to_string();
        let authority = Authority::try_from(literal.as_str())
            .expect("a socket address without a zone is an authority");
        Self {
            authority,
            server_name: None,
            addresses: Arc::from([address]),
        }
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let uri: Uri = text.parse()?;
        Self::try_from(&uri)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.authority.fmt(f)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Target");
        debug.field("authority", &self.authority);
        if let Some(name) = &self.server_name {
            debug.field("server_name", name);
        }
        if !self.addresses.is_empty() {
            debug.field("addresses", &self.addresses);
        }
        debug.finish()
    }
}

/// Why a text or a URI names no target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTarget {
    /// The scheme is another than `https`.
    #[error("the scheme is not https")]
    NotHttps,
    /// There is no host, or it bears user information.
    #[error("there is no host, or more than a host and a port")]
    NoAuthority,
    /// It is no URI at all.
    #[error("it is not a URI")]
    Uri(#[from] http::uri::InvalidUri),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_of_either_family_needs_no_resolver() {
        let v4: Target = "https://127.0.0.1:4433".parse().unwrap();
        let v6: Target = "https://[::1]:4433".parse().unwrap();

        assert_eq!(
            v4.known_addresses(),
            Some(vec!["127.0.0.1:4433".parse().unwrap()])
        );
        assert_eq!(
            v6.known_addresses(),
            Some(vec!["[::1]:4433".parse().unwrap()])
        );
        assert_eq!(v6.tls_name(), "::1");
    }

    #[test]
    fn a_name_needs_the_resolver_unless_an_address_is_set() {
        let target: Target = "example.com:4433".parse().unwrap();
        let address = "192.0.2.1:1".parse().unwrap();

        assert_eq!(target.known_addresses(), None);
        assert_eq!(
            target.address(address).known_addresses(),
            Some(vec![address])
        );
    }

    #[test]
    fn the_port_is_443_unless_given() {
        let target: Target = "https://example.com".parse().unwrap();

        assert_eq!(target.port(), 443);
    }

    #[test]
    fn the_server_name_takes_the_place_of_the_host() {
        let target: Target = "https://192.0.2.1".parse().unwrap();

        assert_eq!(target.server_name("example.com").tls_name(), "example.com");
    }

    #[test]
    fn other_schemes_and_user_information_are_refused() {
        assert!(matches!(
            "http://example.com".parse::<Target>(),
            Err(InvalidTarget::NotHttps)
        ));
        assert!(matches!(
            "/path".parse::<Target>(),
            Err(InvalidTarget::NoAuthority)
        ));
        assert!("https://a@example.com".parse::<Target>().is_err());
    }

    #[test]
    fn a_socket_address_is_a_target() {
        let target = Target::from("[::1]:4433".parse::<SocketAddr>().unwrap());

        assert_eq!(target.host(), "::1");
        assert_eq!(target.port(), 4433);
    }
}
