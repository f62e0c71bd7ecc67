//! The conditions of `cfg`: which of them hold in tests only.

use super::tokens::Token;

/// Tells whether a condition, with or without its brackets, holds in tests only.
pub(super) fn is_for_tests(condition: &[Token<'_>]) -> bool {
    match condition {
        [Token::Sign('('), inner @ .., Token::Sign(')')] => is_for_tests(inner),
        [Token::Name("test")] => true,
        [Token::Name("all"), Token::Sign('('), inner @ .., Token::Sign(')')] => {
            parts(inner).into_iter().any(is_for_tests)
        }
        [Token::Name("any"), Token::Sign('('), inner @ .., Token::Sign(')')] => {
            parts(inner).into_iter().all(is_for_tests)
        }
        _ => false,
    }
}

/// Splits conditions at the commas between them.
fn parts<'t, 'a>(conditions: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut depth = 0_usize;
    let parts = conditions.split(|token| {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && *token == Token::Sign(',')
    });
    parts.filter(|part| !part.is_empty()).collect()
}
