use http::uri::{Authority, Parts, PathAndQuery, Scheme, Uri};

use super::MessageError;
use crate::proto::qpack::Field;

/// The pseudo headers of a request, each at most once.
#[derive(Default)]
pub(super) struct Pseudo<'a> {
    method: Option<&'a [u8]>,
    pub(super) protocol: Option<&'a [u8]>,
    scheme: Option<&'a [u8]>,
    authority: Option<&'a [u8]>,
    path: Option<&'a [u8]>,
}

impl<'a> Pseudo<'a> {
    pub(super) fn collect(fields: &'a [Field<'_>]) -> Result<Self, MessageError> {
        let mut pseudo = Self::default();
        for (name, value) in fields {
            let (name, slot) = match &name[..] {
                b":method" => (":method", &mut pseudo.method),
                b":protocol" => (":protocol", &mut pseudo.protocol),
                b":scheme" => (":scheme", &mut pseudo.scheme),
                b":authority" => (":authority", &mut pseudo.authority),
                b":path" => (":path", &mut pseudo.path),
                _ => return Err(MessageError::UnknownPseudo),
            };
            if slot.replace(value).is_some() {
                return Err(MessageError::Duplicate(name));
            }
        }
        Ok(pseudo)
    }

    pub(super) fn uri(&self) -> Result<Uri, MessageError> {
        // They are in the message, but may be behind other headers.
        if self.method.is_none() || self.protocol.is_none() {
            return Err(MessageError::MisplacedPseudo);
        }
        match self.scheme {
            None => return Err(MessageError::Missing(":scheme")),
            Some(b"https") => {}
            Some(_) => return Err(MessageError::Invalid(":scheme")),
        }
        let mut parts = Parts::default();
        parts.scheme = Some(Scheme::HTTPS);
        parts.authority = Some(self.authority()?);
        parts.path_and_query = Some(self.path()?);
        Uri::from_parts(parts).map_err(|_| MessageError::Invalid(":path"))
    }

    fn authority(&self) -> Result<Authority, MessageError> {
        let authority = self.authority.ok_or(MessageError::Missing(":authority"))?;
        let authority =
            Authority::try_from(authority).map_err(|_| MessageError::Invalid(":authority"))?;
        check_authority(&authority)?;
        Ok(authority)
    }

    fn path(&self) -> Result<PathAndQuery, MessageError> {
        let path = self.path.ok_or(MessageError::Missing(":path"))?;
        // A fragment would be cut off without a word.
        if !path.starts_with(b"/") || path.contains(&b'#') || path.len() > MAX_PATH {
            return Err(MessageError::Invalid(":path"));
        }
        PathAndQuery::try_from(path).map_err(|_| MessageError::Invalid(":path"))
    }
}

pub(super) fn check_authority(authority: &Authority) -> Result<(), MessageError> {
    if authority.host().is_empty() || authority.as_str().contains('@') {
        return Err(MessageError::Invalid(":authority"));
    }
    Ok(())
}

/// `http` counts a path in 16 bits, and not every version of it checks.
const MAX_PATH: usize = u16::MAX as usize - 1;
