//! What can go wrong, one type for each operation.

mod add;
mod connect;
mod connection;
mod endpoint;
mod open;
mod session;
mod stream;

pub use add::AddError;
pub use connect::ConnectError;
pub use connection::ConnectionError;
pub use endpoint::EndpointError;
pub use open::OpenError;
pub use session::{Close, SendDatagramError, SessionError};
pub use stream::{ReadError, ReadToEndError, WriteError};
