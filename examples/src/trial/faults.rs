use std::time::Duration;

use tokio::time::sleep_until;

use crate::BoxError;
use crate::servers::{Order, ServerProcess};
use crate::trial::record::Record;

/// What befalls a server.
#[derive(Clone, Copy)]
enum Fault {
    Slow,
    Fail,
    Recover,
    Kill,
    Freeze,
    Start,
    Restart,
}

/// When, whom, what.
const SCRIPT: [(u64, usize, Fault); 12] = [
    (3, 0, Fault::Slow),
    (7, 0, Fault::Recover),
    (8, 1, Fault::Fail),
    (12, 1, Fault::Recover),
    (13, 2, Fault::Kill),
    (16, 2, Fault::Start),
    (17, 3, Fault::Freeze),
    (20, 3, Fault::Start),
    (22, 0, Fault::Restart),
    (24, 1, Fault::Restart),
    (26, 2, Fault::Restart),
    (28, 3, Fault::Restart),
];

/// Lets all of it befall the servers, in its time; nothing if there are none.
pub(crate) async fn run(servers: &mut [ServerProcess], record: &Record) -> Result<(), BoxError> {
    for (at, number, fault) in SCRIPT {
        if let Some(server) = servers.get_mut(number) {
            sleep_until(record.began() + Duration::from_secs(at)).await;
            record.event(format!("{} {}", number + 1, fault.name()));
            fault.befall(server).await?;
        }
    }
    Ok(())
}

impl Fault {
    async fn befall(self, server: &mut ServerProcess) -> Result<(), BoxError> {
        match self {
            Self::Slow => server.tell(Order::Slow(SLOW)).await?,
            Self::Fail => server.tell(Order::Fail).await?,
            Self::Recover => server.tell(Order::Recover).await?,
            Self::Kill => server.kill().await?,
            Self::Freeze => server.freeze().await?,
            Self::Start => server.start_again().await?,
            Self::Restart => {
                server.shut_down().await?;
                server.start_again().await?;
            }
        }
        Ok(())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Slow => "is slow",
            Self::Fail => "fails at once",
            Self::Recover => "is well again",
            Self::Kill => "is killed",
            Self::Freeze => "falls silent",
            Self::Start => "is started again",
            Self::Restart => "is restarted",
        }
    }
}

const SLOW: Duration = Duration::from_millis(200);
