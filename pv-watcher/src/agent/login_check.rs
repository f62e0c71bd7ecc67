//! How an agent is asked whether it is logged in, as its adapter says.

/// The arguments of a question, and what the answer means; `None` leaves it to the next question.
pub(crate) type Question = (&'static [&'static str], fn(&LoginAnswer) -> Option<bool>);

/// How an agent is asked.
pub(crate) struct LoginCheck {
    /// The questions, one after the other until one is answered.
    pub(crate) questions: &'static [Question],
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
