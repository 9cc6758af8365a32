//! What a client sends before its SETTINGS, which may be overtaken.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::pin;
use std::time::Duration;

use common::bounded::{cancel, once, within};
use common::hostile::{Beside, Bystander, Role};
use common::raw::{
    self, BUFFERED_STREAM_REJECTED, ENABLED, H3_NO_ERROR, H3_REQUEST_REJECTED, Raw, reset_code,
    settings,
};
use wt_connection::Limits;

#[tokio::test]
async fn requests_before_settings_are_held_and_answered_behind_them() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let foe = bystander.foe(Role::Server).await;
        let (mut connect, mut answer) = foe.quic.open_bi().await.unwrap();
        connect.write_all(&raw::connect("/")).await.unwrap();
        let (mut plain, mut response) = foe.quic.open_bi().await.unwrap();
        let get = raw::request("GET", "/", &[]);
        plain.write_all(&get).await.unwrap();
        plain.finish().unwrap();
        let id = connect.id().into();
        let mut early = foe.quic.open_uni().await.unwrap();
        early.write_all(&raw::uni_header(id)).await.unwrap();
        let (mut stream, mut echo) = foe.quic.open_bi().await.unwrap();
        stream.write_all(&raw::bi_header(id)).await.unwrap();
        stream.write_all(b"early").await.unwrap();
        stream.finish().unwrap();
        foe.placed().await;
        cancel(answer.read_chunk(1, true)).await;
        cancel(response.read_chunk(1, true)).await;

        let _control = foe.control(&settings(&ENABLED)).await;

        assert_eq!(raw::status(&raw::read_frame(&mut answer).await.1), "200");
        assert_eq!(raw::status(&raw::read_frame(&mut response).await.1), "200");
        assert_eq!(echo.read_to_end(10).await.unwrap(), b"early");
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn what_comes_before_settings_is_bounded_as_what_comes_behind() {
    within(async {
        let limits = Limits::default().max_sessions(4).early_streams(3);
        let bystander = Bystander::new(limits).await;
        let foe = bystander.foe(Role::Server).await;
        let mut asked = Vec::new();
        for _ in 0..4 {
            let (mut send, recv) = foe.quic.open_bi().await.unwrap();
            send.write_all(&raw::connect("/")).await.unwrap();
            asked.push((send, recv));
        }

        for _ in 0..200 {
            let (mut send, mut recv) = foe.quic.open_bi().await.unwrap();
            send.write_all(&raw::connect("/")).await.unwrap();
            assert_eq!(reset_code(&mut recv).await, H3_REQUEST_REJECTED);
        }
        let id = asked[0].0.id().into();
        for _ in 0..3 {
            foe.uni(&raw::uni_header(id)).await.finish().unwrap();
        }
        for _ in 0..200 {
            let send = foe.uni(&raw::uni_header(id)).await;
            assert_eq!(raw::stop_code(&send).await, BUFFERED_STREAM_REJECTED);
        }
        let _control = foe.control(&settings(&ENABLED)).await;

        for (_, recv) in &mut asked {
            assert_eq!(raw::status(&raw::read_frame(recv).await.1), "200");
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_client_may_open_all_its_streams_before_settings_and_no_more() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let foe = bystander.foe(Role::Server).await;
        let mut open = Vec::new();
        while let Some(opened) = once(pin!(foe.quic.open_bi())).await {
            let (mut send, recv) = opened.unwrap();
            send.write_all(&raw::request("GET", "/", &[]))
                .await
                .unwrap();
            send.finish().unwrap();
            open.push((send, recv));
        }
        assert_eq!(open.len(), 256 + 128);
        bystander.unharmed().await;

        let _control = foe.control(&settings(&ENABLED)).await;

        for (_, recv) in &mut open {
            assert_eq!(raw::status(&raw::read_frame(recv).await.1), "200");
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_whose_settings_never_come_is_let_go_with_all_that_it_asked_for() {
    within(async {
        let limits = Limits::default().header_timeout(Duration::from_millis(500));
        let bystander = Bystander::new(limits).await;
        let foe = bystander.foe(Role::Server).await;
        let (mut connect, _answer) = foe.quic.open_bi().await.unwrap();
        connect.write_all(&raw::connect("/")).await.unwrap();
        let (mut plain, mut response) = foe.quic.open_bi().await.unwrap();
        let get = raw::request("GET", "/", &[]);
        plain.write_all(&get).await.unwrap();

        assert_eq!(foe.close_code().await, H3_NO_ERROR);

        assert!(response.read_to_end(10).await.is_err());
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_session_that_ends_before_settings_is_over_when_they_come() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let foe = bystander.foe(Role::Server).await;
        for _ in 0..5 {
            let mut asked = Vec::new();
            for _ in 0..100 {
                let (mut send, recv) = foe.quic.open_bi().await.unwrap();
                send.write_all(&raw::connect("/")).await.unwrap();
                asked.push((send, recv));
            }
            // They have arrived, and are held.
            foe.placed().await;
            for (mut send, mut recv) in asked {
                send.reset(0x10c_u16.into()).unwrap();
                let _ = recv.stop(0x10c_u16.into());
            }
        }

        let control = foe.control(&settings(&ENABLED)).await;
        let peer = Raw::new(foe.quic, foe.socket, control);
        let beside = Beside::open(&peer).await;

        beside.lives(&peer).await;
        bystander.unharmed().await;
    })
    .await;
}
