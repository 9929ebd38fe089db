//! One request from its arrival to its answer.
//!
//! The rule: two steps, [`Model::arrive`] and [`Model::answer`], and between them time may pass (a fault that delays or
//! holds). What is counted on arrival is what the caller did; what is charged with the answer is what it costs.
//!
//! ESI decides in this order: error limit (420), bucket (429), fault, token and parameters, content.

use chrono::{DateTime, Utc};

use super::access_token::{self, Bearer};
use super::answer::Answer;
use super::buckets::{BucketKey, Group, User};
use super::fault::{Action, Subject};
use super::fault_board::{Bite, FaultId};
use super::ids::CharacterId;
use super::list_owner::ListOwner;
use super::request::page_number;
use super::{Call, Delivery, Model, Request, Route, esi, spoil, sso};

/// What was found out when a request arrived.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The fault that bit.
    pub bite: Option<Bite>,
    /// Whether the token route had too many calls in flight at that moment.
    pub overloaded: bool,
}

impl Model {
    /// Counts a request and chooses the fault that bites. When it is over, [`call_ended`](Self::call_ended) must follow.
    pub fn arrive(&mut self, now: DateTime<Utc>, request: &Request) -> Arrival {
        let subject = self.subject(now, request);
        self.counters.requests.count(subject.route);
        if request.user_agent.as_deref().is_none_or(|agent| agent.trim().is_empty()) {
            self.counters.missing_user_agent += 1;
        }
        self.count_subject(now, &subject);
        if let Some((in_flight, most)) = self.in_flight(subject.route) {
            *in_flight += 1;
            *most = (*most).max(*in_flight);
        }
        let bite = self.faults.bite(&mut self.chance, &subject);
        if let Some(bite) = &bite {
            *self.counters.faults.entry(bite.action.name()).or_default() += 1;
        }
        let overloaded =
            subject.route == Route::Token && self.token_calls_in_flight > self.settings.token_parallel_limit;
        Arrival { bite, overloaded }
    }

    /// A call is over, answered or not.
    pub fn call_ended(&mut self, route: Route) {
        if let Some((in_flight, _)) = self.in_flight(route) {
            *in_flight = in_flight.saturating_sub(1);
        }
    }

    /// Of a route whose calls in flight are counted: how many there are, and the most there were.
    fn in_flight(&mut self, route: Route) -> Option<(&mut u32, &mut u32)> {
        match route {
            Route::Token => Some((&mut self.token_calls_in_flight, &mut self.counters.parallel_token_calls_max)),
            Route::Affiliation => {
                Some((&mut self.affiliation_calls_in_flight, &mut self.counters.parallel_affiliation_calls_max))
            }
            _ => None,
        }
    }

    /// Whether a request that is held by this fault must still wait.
    #[must_use]
    pub fn holds(&self, fault_id: FaultId) -> bool {
        self.faults.holds(fault_id)
    }

    /// Works on a request and finds its answer.
    pub fn answer(&mut self, now: DateTime<Utc>, request: &Request, arrival: &Arrival) -> Answer {
        let action = arrival.bite.as_ref().map(|bite| &bite.action);
        if action == Some(&Action::Reset) {
            return Answer::nothing();
        }
        let mut answer = if request.call.route().is_esi() {
            self.esi_answer(now, request, action)
        } else if arrival.overloaded {
            sso::overloaded()
        } else {
            self.sso_answer(now, request, action)
        };
        if let Some(Action::Forge { claims, signature }) = action {
            answer = self.forge(answer, claims, *signature);
        } else if let Some(action) = action {
            answer = spoil::spoil(action, request.call.route(), answer);
        }
        if answer.delivery != Delivery::Nothing {
            answer.set_if_absent("Date", super::http_date::http_date(now));
            *self.counters.responses.entry(answer.status).or_default() += 1;
        }
        self.remember_expiry(request, action, &answer);
        answer
    }

    fn sso_answer(&mut self, now: DateTime<Utc>, request: &Request, action: Option<&Action>) -> Answer {
        if let Some(answer) = replacement(action) {
            return answer;
        }
        match &request.call {
            Call::Authorize { query } => self.authorize(now, query),
            Call::Token { content_type, body } => self.token(now, request, content_type.as_deref(), body),
            Call::Revoke { content_type, body } => self.revoke_token(request, content_type.as_deref(), body),
            Call::Validate => self.validate(now, request),
            Call::Jwks => Answer::json(200, self.signing_keys.key_set()),
            Call::Discovery { base_url } => sso::discovery(base_url),
            _ => Answer::empty(404),
        }
    }

    fn esi_answer(&mut self, now: DateTime<Utc>, request: &Request, action: Option<&Action>) -> Answer {
        if self.error_limit.is_spent(now, request.source) {
            self.counters.requests_while_error_limited += 1;
            return self.error_limit.refusal(now, request.source);
        }
        let bearer = access_token::read(&self.signing_keys, now, request.authorization.as_deref());
        let bucket = bucket_of(request, &bearer);
        if let Some(key) = &bucket
            && let Some(seconds) = self.buckets.retry_after_seconds(now, key)
        {
            self.counters.budget_overdrawn += 1;
            let mut answer = Answer::error(429, "Too many requests");
            answer.set("Retry-After", seconds.to_string());
            self.settle(now, request, bucket.as_ref(), &mut answer);
            return answer;
        }
        let mut answer = replacement(action)
            .or_else(|| esi::refuse_compatibility_date(now, request.compatibility_date.as_deref()))
            .unwrap_or_else(|| self.esi_content(now, request, &bearer, action));
        self.settle(now, request, bucket.as_ref(), &mut answer);
        answer
    }

    fn esi_content(
        &mut self,
        now: DateTime<Utc>,
        request: &Request,
        bearer: &Bearer,
        action: Option<&Action>,
    ) -> Answer {
        let if_none_match = request.if_none_match.as_deref().filter(|_| !action.is_some_and(spoil::needs_a_body));
        match &request.call {
            Call::List { owner, page } => self.list(now, bearer, *owner, page.as_deref(), if_none_match),
            Call::Affiliation { body } => self.affiliation(body),
            Call::Detail { killmail_id, killmail_hash } => self.detail(now, *killmail_id, killmail_hash, if_none_match),
            Call::Status => esi::status(now, if_none_match),
            _ => Answer::error(404, "Not found"),
        }
    }

    /// Charges an answer of ESI and writes the headers that all its answers have. The headers of the two limits
    /// exclude each other; a 420, which a fault may give too, belongs to the error limit.
    fn settle(&mut self, now: DateTime<Utc>, request: &Request, bucket: Option<&BucketKey>, answer: &mut Answer) {
        answer.set_if_absent("X-Compatibility-Date", "2020-01-01");
        answer.set_if_absent("X-Esi-Request-Id", self.request_id());
        match bucket {
            Some(key) if answer.status != 420 => {
                let tokens = self.buckets.charge(now, key, answer);
                self.counters.spend(key.0.name(), tokens);
                if self.settings.bucketed_errors_count {
                    self.error_limit.count(now, request.source, answer.status);
                }
            }
            Some(_) => self.error_limit.describe(now, request.source, answer),
            None => {
                self.error_limit.count(now, request.source, answer.status);
                self.error_limit.describe(now, request.source, answer);
            }
        }
    }

    /// A caller is bound to an `Expires` only if it could read it: not if the answer was lost or spoiled.
    fn remember_expiry(&mut self, request: &Request, action: Option<&Action>, answer: &Answer) {
        let was_whole = answer.delivery == Delivery::Whole && matches!(answer.status, 200 | 304);
        let was_spoiled = action.is_some_and(|action| {
            !matches!(action, Action::Delay { .. } | Action::Hold | Action::HoldAnswer | Action::UnknownFields)
        });
        if let Call::List { owner, page } = &request.call
            && let Some(page) = page_number(page.as_deref())
            && was_whole
            && !was_spoiled
        {
            self.lists.tell(*owner, page);
        }
    }

    fn count_subject(&mut self, now: DateTime<Utc>, subject: &Subject) {
        match (subject.route, subject.character_id, subject.corporation_id, subject.killmail_id) {
            (Route::Token, Some(character_id), ..) => {
                *self.counters.token_calls_by_character.entry(character_id).or_default() += 1;
            }
            (Route::List, Some(character_id), ..) => {
                *self.counters.list_calls_by_character.entry(character_id).or_default() += 1;
                self.count_if_too_early(now, ListOwner::Character(character_id), subject.page);
            }
            (Route::CorporationList, _, Some(corporation_id), _) => {
                *self.counters.corporation_list_calls_by_corporation.entry(corporation_id).or_default() += 1;
                self.count_if_too_early(now, ListOwner::Corporation(corporation_id), subject.page);
            }
            (Route::Detail, _, _, Some(killmail_id)) => {
                *self.counters.detail_calls_by_killmail.entry(killmail_id).or_default() += 1;
            }
            _ => {}
        }
    }

    fn count_if_too_early(&mut self, now: DateTime<Utc>, owner: ListOwner, page: Option<u32>) {
        if page.is_some_and(|page| self.lists.is_too_early(now, owner, page)) {
            self.counters.requests_before_expiry += 1;
        }
    }

    fn subject(&self, now: DateTime<Utc>, request: &Request) -> Subject {
        let mut subject = Subject {
            route: request.call.route(),
            character_id: None,
            corporation_id: None,
            login: None,
            killmail_id: None,
            page: None,
        };
        match &request.call {
            Call::Token { body, .. } => {
                let login_id = self.login_of_refresh(body);
                subject.character_id = login_id.map(|login_id| self.logins.login(login_id).character_id);
                subject.login = login_id.map(|login_id| self.logins.number(login_id));
            }
            Call::List { owner, page } => {
                match owner {
                    ListOwner::Character(character_id) => subject.character_id = Some(*character_id),
                    ListOwner::Corporation(corporation_id) => {
                        subject.corporation_id = Some(*corporation_id);
                        subject.character_id = self.character_of_token(now, request);
                    }
                }
                subject.page = page_number(page.as_deref());
            }
            Call::Detail { killmail_id, .. } => subject.killmail_id = Some(*killmail_id),
            _ => {}
        }
        subject
    }

    fn character_of_token(&self, now: DateTime<Utc>, request: &Request) -> Option<CharacterId> {
        match access_token::read(&self.signing_keys, now, request.authorization.as_deref()) {
            Bearer::Valid(token) => Some(token.character_id),
            Bearer::Absent | Bearer::Invalid => None,
        }
    }
}

/// The answer of a fault that stands in for the real one, so that nothing happens behind it.
fn replacement(action: Option<&Action>) -> Option<Answer> {
    match action? {
        Action::Answer { status, body, headers } => Some(spoil::spelled_out(*status, body, headers)),
        Action::Html => Some(spoil::web_page()),
        Action::InvalidGrant => Some(sso::invalid_grant(sso::GRANT_MISSING)),
        Action::InvalidClient => Some(sso::invalid_client()),
        _ => None,
    }
}

/// The bucket that a request is charged to. A list without a valid token is charged to the address.
fn bucket_of(request: &Request, bearer: &Bearer) -> Option<BucketKey> {
    let address = User::Address(request.source);
    let of_token = || match bearer {
        Bearer::Valid(token) => {
            User::Character { client_id: token.client_id.clone(), character_id: token.character_id }
        }
        Bearer::Absent | Bearer::Invalid => address.clone(),
    };
    match request.call.route() {
        Route::List => Some((Group::CharacterKillmails, of_token())),
        Route::CorporationList => Some((Group::CorporationKillmails, of_token())),
        Route::Detail => Some((Group::Killmail, address)),
        Route::Status => Some((Group::Status, address)),
        _ => None,
    }
}
