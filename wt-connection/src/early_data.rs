/// Marks a request that goes with TLS early data, or came with it: before the handshake is done, so
/// that whoever has recorded it may send it again, and it is processed twice.
///
/// With [`EndpointBuilder::early_data`](crate::EndpointBuilder::early_data), connections resume
/// where they can. A request for a session leaves with the first packet if it has this among its
/// extensions, which says that it may be processed twice, with whatever is sent in the session
/// until the handshake is done; any other request waits for that.
///
/// ```no_run
/// use wt_connection::EarlyData;
///
/// # async fn example(
/// #     connection: wt_connection::Connection,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let request = http::Request::get("/news").extension(EarlyData).body(())?;
/// let early = connection.open_early(request).await?;
/// # Ok(())
/// # }
/// ```
///
/// A server finds it among the extensions of such a request, and may reject the request with
/// [`StatusCode::TOO_EARLY`](http::StatusCode::TOO_EARLY) if it is none that may be processed twice
/// ([RFC 8470](https://www.rfc-editor.org/rfc/rfc8470)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "has no more to say than its name"
)]
pub struct EarlyData;
