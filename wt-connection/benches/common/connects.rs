use tokio::task::JoinSet;
use tokio::time::Instant;
use wt_connection::Connection;

/// Opens sessions on a live connection and closes them; gives how many per second.
pub(crate) async fn sessions(connection: &Connection) -> f64 {
    let connection = connection.clone();
    let (rate, _) = at_once(SESSIONS, move || {
        let connection = connection.clone();
        async move {
            let session = connection.open("/").await.unwrap();
            session.close(0, "");
            session.closed().await;
        }
    })
    .await;
    rate
}

/// Makes so many, 16 at a time, and says how many per second.
pub(crate) async fn at_once<T, F>(
    count: usize,
    make: impl Fn() -> F + Clone + Send + 'static,
) -> (f64, Vec<T>)
where
    T: Send + 'static,
    F: Future<Output = T> + Send,
{
    let began = Instant::now();
    let mut lanes = JoinSet::new();
    for _ in 0..AT_ONCE {
        let make = make.clone();
        lanes.spawn(async move {
            let mut made = Vec::new();
            for _ in 0..count / AT_ONCE {
                made.push(make().await);
            }
            made
        });
    }
    let made = lanes.join_all().await;
    let rate = count as f64 / began.elapsed().as_secs_f64();
    (rate, made.into_iter().flatten().collect())
}

/// Connections of a round.
pub(crate) const CONNECTS: usize = 480;
const SESSIONS: usize = 8_000;
const AT_ONCE: usize = 16;
