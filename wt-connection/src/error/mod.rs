//! What can go wrong, one type for each operation.

mod add;
mod body;
mod connect;
mod connection;
mod endpoint;
mod open;
mod ping;
mod request;
mod session;
mod stream;

pub use add::AddError;
pub use body::BodyError;
pub use connect::ConnectError;
pub use connection::ConnectionError;
pub use endpoint::EndpointError;
pub use open::OpenError;
pub use ping::PingError;
pub use request::RequestError;
pub use session::{Close, SendDatagramError, SessionError};
pub use stream::{ReadError, ReadToEndError, WriteError};
