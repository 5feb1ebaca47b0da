//! How surely something is so. What is not known is neither yes nor no.

/// An answer, and why it is not a sure one. Ordered: of answers that all have to hold the least counts, of answers of
/// which one is enough the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    /// Surely not.
    No,
    /// No, as far as a guess goes. It accuses nobody, and it excludes nothing.
    Hardly(&'static str),
    /// Nobody knows: it is missing, or only a guess says yes.
    Maybe(&'static str),
    /// Surely.
    Yes,
}

impl Answer {
    /// From something that is known.
    pub(super) fn known(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    /// From something that is only guessed.
    pub(super) fn guessed(holds: bool, reason: &'static str) -> Self {
        if holds { Self::Maybe(reason) } else { Self::Hardly(reason) }
    }
}

/// The least of them; yes when there is none. What follows a sure no is not asked.
pub(super) fn all(answers: impl IntoIterator<Item = Answer>) -> Answer {
    let mut least = Answer::Yes;
    for answer in answers {
        least = least.min(answer);
        if least == Answer::No {
            break;
        }
    }
    least
}

/// The greatest of them; no when there is none. What follows a sure yes is not asked.
pub(super) fn any(answers: impl IntoIterator<Item = Answer>) -> Answer {
    let mut greatest = Answer::No;
    for answer in answers {
        greatest = greatest.max(answer);
        if greatest == Answer::Yes {
            break;
        }
    }
    greatest
}
