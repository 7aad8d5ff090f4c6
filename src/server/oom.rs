//! The process's standing with the kernel's out-of-memory killer: `oom-score-adj`.
//!
//! A machine that has run out of memory ends the process with the highest score. The directives raise it for a
//! replica, whose data is elsewhere, and for a child, whose work can be done again, so that these go before a primary
//! does. What the score was before this server first changed it is remembered, added to where the directive says
//! `relative`, and put back when it is turned off.

use super::State;
use crate::config::OomScoreAdj;

/// What is known of the process's own score.
#[derive(Default)]
pub struct OomScore {
    /// What it was before this server changed it; `None` while it has not.
    before: Option<i32>,
}

/// Whose score.
#[derive(Clone, Copy)]
enum Class {
    Primary,
    Replica,
    Child,
}

/// The most that the kernel takes, either way.
const SCORE_MAX: i32 = 1000;

impl State {
    /// Gives the process the score that configuration and role ask for.
    pub fn adjust_oom_score(&mut self) -> Result<(), String> {
        let class = if self.replication.follows() { Class::Replica } else { Class::Primary };
        if self.config.oom_score_adj == OomScoreAdj::No {
            let Some(before) = self.oom_score.before.take() else { return Ok(()) };
            return (self.host.set_oom_score)(None, before);
        }
        let before = match self.oom_score.before {
            Some(before) => before,
            None => (self.host.oom_score)()?,
        };
        (self.host.set_oom_score)(None, self.oom_score_of(class, before))?;
        self.oom_score.before = Some(before);
        Ok(())
    }

    /// The role has changed. A score that cannot be set is only logged.
    pub(super) fn heed_role(&mut self) {
        if self.oom_score.before.is_some()
            && let Err(reason) = self.adjust_oom_score()
        {
            log::warn!("Unable to write oom_score_adj: {reason}");
        }
    }

    /// A child was started.
    pub(super) fn adjust_child(&mut self, pid: u32) {
        if let Some(before) = self.oom_score.before
            && let Err(reason) = (self.host.set_oom_score)(Some(pid), self.oom_score_of(Class::Child, before))
        {
            log::warn!("Unable to write oom_score_adj of the child process {pid}: {reason}");
        }
    }

    fn oom_score_of(&self, class: Class, before: i32) -> i32 {
        let wanted = self.config.oom_adjustments()[class as usize];
        let base = if self.config.oom_score_adj == OomScoreAdj::Absolute { 0 } else { before };
        (wanted + base).clamp(-SCORE_MAX, SCORE_MAX)
    }
}
