//! How an agent is asked whether it is logged in, as its adapter says.

/// How an agent is asked.
pub(crate) struct LoginCheck {
    /// The arguments of each question, and what the answer means; `None` leaves it to the next question.
    pub(crate) questions: &'static [(&'static [&'static str], fn(&LoginAnswer) -> Option<bool>)],
    /// The command that logs it in.
    pub(crate) remedy: &'static str,
}

/// What an agent answered.
#[derive(Debug)]
pub(crate) struct LoginAnswer {
    /// Its exit code; `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its standard output.
    pub(crate) output: String,
}
