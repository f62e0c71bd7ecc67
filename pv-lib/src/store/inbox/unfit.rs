//! Prompts that wait and whose texts cannot be run: named before they become jobs that fail.

use crate::{
    Error,
    fs::FsExt,
    prompt::check,
    store::{InboxPrompt, Store},
    unusable::{Severity, Unusable, UnusableList},
};

/// How many prompts are read.
const PROMPTS_MAX: usize = 200;

/// How many bytes of them are read, together.
const BYTES_MAX: u64 = 16 << 20;

impl Store {
    /// Returns an entry for each prompt that waits and could not be run as it is: one that cannot be read, is too large or
    /// no UTF-8, or has front matter that cannot be used. Of very many, or very large ones, some are not looked at.
    pub(in crate::store) fn unfit_prompts(&self, prompts: &[InboxPrompt]) -> UnusableList {
        let (mut list, mut bytes) = (UnusableList::default(), 0);
        let limit = self.limits().prompt_bytes;
        let with_fields = self.prompt_bytes_max();
        for prompt in prompts.iter().filter(|prompt| !prompt.claimed && prompt.stat.len > 0).take(PROMPTS_MAX) {
            let len = prompt.stat.len;
            let error = if len > with_fields as u64 {
                Error::TooLarge { len, limit }
            } else if bytes + len > BYTES_MAX {
                continue;
            } else {
                bytes += len;
                match self.fs().read(&prompt.path, with_fields) {
                    Ok(text) => match check(&text, limit) {
                        Ok(_) => continue,
                        Err(error) => error,
                    },
                    // It was taken, or grew.
                    Err(error) if error.kind() != std::io::ErrorKind::PermissionDenied => continue,
                    Err(error) => {
                        list.push(Unusable::unread(&error));
                        continue;
                    }
                }
            };
            let why = format!("it cannot be run: {error}");
            list.push(Unusable::new(prompt.path.clone(), Severity::Warning, &why, "correct it before it is started"));
        }
        list
    }
}
