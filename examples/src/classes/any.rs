use wt_retry::Verdict;

/// The class of a call of any kind that may be made twice: whatever failed is worth another
/// attempt.
#[must_use]
pub fn any<Req, R, E>(_: &Req, result: Result<&R, &E>) -> Verdict {
    match result {
        Ok(_) => Verdict::Return,
        Err(_) => Verdict::Retry,
    }
}
