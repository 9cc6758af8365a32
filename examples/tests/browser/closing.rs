//! How a session ends, and what the other side learns of it.

use std::time::Duration;

use serde_json::json;
use tokio::sync::oneshot;
use wt_connection::SessionError;

use crate::draft::Draft;
use crate::site::{Case, Site, handing_over, in_session};

each_draft! {
    the_server_reads_the_code_and_reason_of_the_page_s_close,
    a_close_of_the_page_s_without_code_or_reason_has_neither,
    the_page_reads_the_code_and_reason_of_the_server_s_close,
    the_page_is_told_to_finish_and_then_why_the_server_shut_down,
}

async fn the_server_reads_the_code_and_reason_of_the_page_s_close(draft: Draft) {
    let (returned, end) = in_session(case(draft, "closes"), async |session| {
        session.closed().await
    })
    .await;

    assert_eq!(closed_by_peer(&end), (CODE, REASON));
    assert_eq!(returned, json!({ "closeCode": CODE, "reason": REASON }));
}

async fn a_close_of_the_page_s_without_code_or_reason_has_neither(draft: Draft) {
    let case = case(draft, "closesSilently");

    let (returned, end) = in_session(case, async |session| session.closed().await).await;

    assert_eq!(closed_by_peer(&end), (0, ""));
    assert_eq!(returned, json!({ "closeCode": 0, "reason": "" }));
}

async fn the_page_reads_the_code_and_reason_of_the_server_s_close(draft: Draft) {
    let (returned, end) = in_session(case(draft, "isClosed"), async |session| {
        session.close(CODE, REASON);
        session.closed().await
    })
    .await;

    assert_eq!(returned, json!({ "closeCode": CODE, "reason": REASON }));
    assert!(matches!(end, SessionError::Closed(close) if close.code() == CODE));
}

async fn the_page_is_told_to_finish_and_then_why_the_server_shut_down(draft: Draft) {
    let site = Site::bind().await;
    let (app, mut sessions) = handing_over();
    let (shut_down, signal) = oneshot::channel::<()>();
    let server = site
        .server()
        .shutdown_on(async { signal.await.unwrap() })
        .shutdown_timeout(Duration::from_secs(1))
        .shutdown_code(CODE, REASON);
    let serving = tokio::spawn(server.serve(app));
    // What tells a page that its session drains is not among what a browser has by default.
    let case = case(draft, "isDrained").flags(&["--enable-experimental-web-platform-features"]);

    let (returned, session) = site
        .browse(case, async {
            let session = sessions.recv().await.unwrap();
            shut_down.send(()).unwrap();
            session
        })
        .await;

    let close = json!({ "closeCode": CODE, "reason": REASON });
    assert_eq!(returned, json!({ "first": "draining", "close": close }));
    let report = serving.await.unwrap();
    assert_eq!((report.connections, report.cut.len()), (1, 1));
    assert_eq!(report.cut[0].sessions, 1);
    session.closed().await;
}

fn closed_by_peer(end: &SessionError) -> (u32, &str) {
    match end {
        SessionError::ClosedByPeer(close) => (close.code(), close.reason()),
        other => panic!("ended by {other}"),
    }
}

fn case(draft: Draft, name: &'static str) -> Case {
    Case::new(draft, include_str!("closing.js"), name)
}

/// No byte of it is like another.
const CODE: u32 = 0xfedc_ba98;
const REASON: &str = "genug für heute";
