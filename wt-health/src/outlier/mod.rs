//! What makes a backend an outlier among the others, by
//! [gRFC A50](https://github.com/grpc/proposal/blob/master/A50-xds-outlier-detection.md), and for
//! how long it is ejected.

mod failure_percentage;
mod settings;
mod success_rate;

pub use failure_percentage::FailurePercentage;
pub use settings::Outlier;
pub use success_rate::SuccessRate;
