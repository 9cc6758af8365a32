#[path = "../common/as_quinn.rs"]
mod as_quinn;

use quinn::{Connection as Session, RecvStream, SendStream};
