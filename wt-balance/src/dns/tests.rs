use std::future::{poll_fn, ready};
use std::sync::Mutex;

use tracing::field::Field;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt};

use super::*;

type Answers = Vec<Result<(Vec<u8>, u64), &'static str>>;

/// Asks somebody who answers so, one after the other: addresses by their last byte, and how
/// many seconds they last.
fn discover(answers: Answers) -> Addresses<impl Fn(SocketAddr) -> u8> {
    let answers = Mutex::new(answers.into_iter());
    let lookup = move || -> Asking {
        let answer = answers.lock().unwrap().next().unwrap_or(Err("no more"));
        let found = answer.map(|(addresses, seconds)| Found {
            addresses: addresses.into_iter().map(ip).collect(),
            lasts: Duration::from_secs(seconds),
        });
        Box::pin(ready(found.map_err(BoxError::from)))
    };
    Addresses::new(Box::new(lookup), 443, Bounds::default(), last_byte)
}

fn ip(byte: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, byte])
}

fn last_byte(address: SocketAddr) -> u8 {
    match address.ip() {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(_) => 0,
    }
}

/// The next change, as it is written, and how many seconds have gone by.
async fn next<M: Fn(SocketAddr) -> u8 + Unpin>(
    addresses: &mut Addresses<M>,
    since: Instant,
) -> (u64, String) {
    let change = poll_fn(|cx| Pin::new(&mut *addresses).poll_next(cx)).await;
    let change = match change.unwrap() {
        Ok(Change::Insert(address, service)) => format!("+{address} {service}"),
        Ok(Change::Remove(address)) => format!("-{address}"),
        Err(error) => error.to_string(),
    };
    (since.elapsed().as_secs(), change)
}

async fn all(answers: Answers, n: usize) -> Vec<(u64, String)> {
    let since = Instant::now();
    let mut addresses = discover(answers);
    let mut all = Vec::new();
    for _ in 0..n {
        all.push(next(&mut addresses, since).await);
    }
    all
}

fn expected(all: &[(u64, &str)]) -> Vec<(u64, String)> {
    all.iter()
        .map(|(at, change)| (*at, (*change).to_owned()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_again_when_the_records_expire() {
    let answers = vec![
        Ok((vec![1, 2], 30)),
        Ok((vec![2, 3], 60)),
        Ok((vec![3], 60)),
    ];

    let all = all(answers, 5).await;

    let changes = [
        (0, "+127.0.0.1:443 1"),
        (0, "+127.0.0.2:443 2"),
        (30, "+127.0.0.3:443 3"),
        (30, "-127.0.0.1:443"),
        (90, "-127.0.0.2:443"),
    ];
    assert_eq!(all, expected(&changes));
}

#[tokio::test(start_paused = true)]
async fn what_is_known_stays_when_the_name_cannot_be_resolved() {
    let answers = vec![
        Ok((vec![1], 10)),
        Err("refused"),
        Err("refused"),
        Ok((vec![], 10)),
        Ok((vec![1, 2], 10)),
    ];

    let all = all(answers, 4).await;

    let changes = [
        (0, "+127.0.0.1:443 1"),
        (10, "refused"),
        (11, "refused"),
        (23, "+127.0.0.2:443 2"),
    ];
    assert_eq!(all, expected(&changes));
}

/// Keeps what is told at `DEBUG`.
#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &tracing::Event<'_>, _: LayerContext<'_, S>) {
        event.record(&mut |field: &Field, value: &dyn fmt::Debug| {
            let line = format!("{} {field}: {value:?}", event.metadata().level());
            self.0.lock().unwrap().push(line);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn that_a_name_has_no_address_is_an_event() {
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    let _guard = tracing::subscriber::set_default(subscriber);

    let all = all(vec![Ok((vec![], 10)), Ok((vec![1], 10))], 1).await;

    assert_eq!(all, expected(&[(10, "+127.0.0.1:443 1")]));
    let told = keep.0.lock().unwrap();
    assert_eq!(
        told[..],
        ["DEBUG message: the name has no address: those that are known stay"]
    );
}

#[tokio::test(start_paused = true)]
async fn records_that_do_not_last_or_last_for_ever_are_bounded() {
    let answers = vec![Ok((vec![1], 0)), Ok((vec![2], 1_000_000)), Ok((vec![3], 0))];

    let all = all(answers, 5).await;

    let changes = [
        (0, "+127.0.0.1:443 1"),
        (1, "+127.0.0.2:443 2"),
        (1, "-127.0.0.1:443"),
        (301, "+127.0.0.3:443 3"),
        (301, "-127.0.0.2:443"),
    ];
    assert_eq!(all, expected(&changes));
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_less_and_less_often_while_it_fails() {
    let all = all(vec![Err("refused"); 12], 12).await;

    let at: Vec<_> = all.iter().map(|(at, _)| *at).collect();
    assert_eq!(at[..6], [0, 1, 3, 7, 15, 31]);
    assert_eq!(at[11] - at[10], 300);
}
