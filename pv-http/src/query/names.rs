//! Names that many jobs have in common, of owners, repositories and branches: each is kept once, and is a number elsewhere.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc};

/// The number of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name(NonZeroU32);

/// The names that are in use.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<Arc<str>, Name>,
    /// By their numbers, the first of which is 1: each name, and how often it is used.
    used: Vec<(Arc<str>, u32)>,
    free: Vec<Name>,
}

impl Names {
    /// Returns the number of a name, which is used once more.
    pub(super) fn acquire(&mut self, text: &str) -> Name {
        if let Some(name) = self.find(text) {
            self.used[name.index()].1 += 1;
            return name;
        }
        let text: Arc<str> = text.into();
        let name = self.free.pop().unwrap_or_else(|| {
            self.used.push((text.clone(), 0));
            let number = u32::try_from(self.used.len()).ok().and_then(NonZeroU32::new);
            Name(number.expect("fewer names than fit in memory"))
        });
        self.used[name.index()] = (text.clone(), 1);
        self.numbers.insert(text, name);
        name
    }

    /// Ends one use of a name; after the last one its number may become that of another.
    pub(super) fn release(&mut self, name: Name) {
        let (text, uses) = &mut self.used[name.index()];
        *uses -= 1;
        if *uses == 0 {
            self.numbers.remove(text);
            *text = Arc::default();
            self.free.push(name);
        }
    }

    /// Returns the number of a name that is in use.
    pub(super) fn find(&self, text: &str) -> Option<Name> {
        self.numbers.get(text).copied()
    }

    /// Returns the name of that number.
    pub(super) fn text(&self, name: Name) -> &str {
        &self.used[name.index()].0
    }
}

impl Name {
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_number_for_as_long_as_it_is_used() {
        let mut names = Names::default();
        let [one, other, again] = ["one", "other", "one"].map(|text| names.acquire(text));
        assert_eq!((one == again, one == other, names.find("one")), (true, false, Some(one)));
        assert_eq!([one, other].map(|name| names.text(name)), ["one", "other"]);
        names.release(one);
        assert_eq!(names.find("one"), Some(one), "it is used once more");
        names.release(again);
        assert_eq!((names.find("one"), names.find("third")), (None, None));
        let third = names.acquire("third");
        assert_eq!((third, names.text(third), names.find("other")), (one, "third", Some(other)));
        assert_eq!(names.used.len(), 2, "what nobody uses makes room");
    }
}
