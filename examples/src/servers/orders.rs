use std::{io, thread};

use tokio::sync::watch;

use crate::servers::Order;

/// The last order, until standard input ends.
pub(crate) fn orders() -> watch::Receiver<Order> {
    let (told, orders) = watch::channel(Order::default());
    // A thread that the process does not wait for: it may read for ever.
    thread::spawn(move || {
        // What comes first, the credentials of servers that want some, is no order.
        let lines = io::stdin().lines().map_while(Result::ok);
        for order in lines.filter_map(|line| line.parse().ok()) {
            told.send_replace(order);
        }
    });
    orders
}
