use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a server is told while it serves: a line on its standard input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// To answer as soon as it can.
    #[default]
    Recover,
    /// To let each session wait for so long before it accepts it, in whole milliseconds.
    Slow(Duration),
    /// To answer all who ask for a session with 500, at once.
    Fail,
    /// To finish what is open, let nobody in, and end.
    ShutDown,
}

/// A line is no order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoOrder;

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recover => f.write_str("recover"),
            Self::Slow(by) => write!(f, "slow {}", by.as_millis()),
            Self::Fail => f.write_str("fail"),
            Self::ShutDown => f.write_str("shut down"),
        }
    }
}

impl FromStr for Order {
    type Err = NoOrder;

    fn from_str(line: &str) -> Result<Self, NoOrder> {
        match line {
            "recover" => Ok(Self::Recover),
            "fail" => Ok(Self::Fail),
            "shut down" => Ok(Self::ShutDown),
            _ => {
                let millis = line.strip_prefix("slow ").ok_or(NoOrder)?;
                let millis = millis.parse().map_err(|_| NoOrder)?;
                Ok(Self::Slow(Duration::from_millis(millis)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_they_are_written() {
        let slow = Order::Slow(Duration::from_millis(250));

        for order in [Order::Recover, slow, Order::Fail, Order::ShutDown] {
            assert_eq!(order.to_string().parse(), Ok(order));
        }
        for line in ["", "slow", "slow soon", "slow -1", "fail "] {
            assert_eq!(line.parse::<Order>(), Err(NoOrder), "{line:?}");
        }
    }
}
