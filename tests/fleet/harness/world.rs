//! What a test's world is like before it begins.

use std::time::Duration;

/// Characters and killmails of the simulator, and how far the fleet is set up.
pub(crate) struct World {
    pub(super) flags: Vec<String>,
    pub(super) settings: Vec<(&'static str, &'static str)>,
    /// The fleet is told where it can be asked whether an access token stands.
    pub(super) can_be_asked: bool,
    pub(super) has_real_killmails: bool,
    pub(super) is_signed_in: bool,
    pub(super) is_migrated: bool,
    /// More than other tests take.
    pub(super) longest: Option<Duration>,
}

impl World {
    /// All characters are signed in, and their tokens are fresh. The generated killmails are shared: half of them are
    /// on two to six lists.
    pub(crate) fn of(characters: u32, killmails: u32) -> Self {
        let flags = vec![format!("--characters={characters}"), format!("--killmails={killmails}")];
        Self {
            flags,
            settings: Vec::new(),
            can_be_asked: false,
            has_real_killmails: false,
            is_signed_in: true,
            is_migrated: true,
            longest: None,
        }
    }

    /// A further flag of `esi-sim serve`.
    pub(crate) fn with(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// A setting of all processes of the fleet.
    pub(crate) fn setting(mut self, variable: &'static str, value: &'static str) -> Self {
        self.settings.push((variable, value));
        self
    }

    /// The provider has a validate endpoint.
    pub(crate) fn that_can_be_asked(mut self) -> Self {
        self.can_be_asked = true;
        self
    }

    /// The 26 real killmails on top.
    pub(crate) fn with_real_killmails(mut self) -> Self {
        self.has_real_killmails = true;
        self
    }

    /// The characters exist at EVE SSO, and the fleet does not know them.
    pub(crate) fn nobody_signed_in(mut self) -> Self {
        self.is_signed_in = false;
        self
    }

    /// A test of so much that it takes longer than others may.
    pub(crate) fn takes_up_to(mut self, longest: Duration) -> Self {
        self.longest = Some(longest);
        self
    }

    /// An empty database.
    pub(crate) fn not_migrated(mut self) -> Self {
        self.is_migrated = false;
        self.nobody_signed_in()
    }
}
