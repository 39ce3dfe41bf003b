//! Users who may not do all that an index needs: what is missing is said before any work.

use brain_core::{Error, ErrorKind, Scope, SimilarityBackend};
use brain_testkit::questions::add;
use brain_testkit::services::{self, Server};

use super::refusals::show;
use crate::faults::rows;
use crate::place::Place;
use crate::server::{backend, run};

/// A user of a test's own, by ACL rules.
struct User<'a> {
    place: &'a Place,
    server: Server,
}

impl<'a> User<'a> {
    fn new(place: &'a Place, what: &str, rules: &str) -> Self {
        let server = Server { user: place.named(what), password: "guest0guest".into(), ..place.server.clone() };
        place.client().say(&format!("ACL SETUSER {} reset on >{} {rules}", server.user, server.password));
        Self { place, server }
    }

    fn may(&self, rules: &str) {
        self.place.client().say(&format!("ACL SETUSER {} {rules}", self.server.user));
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        self.place.client().ask(&["ACL", "DELUSER", &self.server.user]);
    }
}

#[track_caller]
fn assert_lacks(error: &Error, user: &User<'_>, words: &str) {
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    let said = format!("{error} {:?}", error.hint());
    assert!(said.contains(words) && said.contains("ACL SETUSER"), "{said}");
    assert!(!format!("{said} {error:?}").contains(&user.server.password), "{error:?}");
    show(error);
}

#[test]
fn a_user_who_may_not_use_the_search_module() {
    let place = Place::new(services::redis());
    let user = User::new(&place, "reader", "~* &* +@all -FT.CREATE -FT.SEARCH -FT.INFO -FT._LIST -FT.DROPINDEX");
    let error = run(backend(&user.server).check(&place.spec("x", &[]))).unwrap_err();
    assert_lacks(&error, &user, "");
    let error = run(backend(&user.server).create(&place.spec("x", &[]))).err().unwrap();
    assert_lacks(&error, &user, "");
    assert_eq!(place.indexes(), [""; 0]);
}

#[test]
fn a_user_who_may_not_write_keys_of_that_name() {
    let place = Place::new(services::redis());
    let user = User::new(&place, "writer", "~elsewhere:* &* +@all");
    let spec = place.spec("x", &[]);
    let error = run(backend(&user.server).check(&spec)).unwrap_err();
    assert_lacks(&error, &user, &place.name);
    let error = run(backend(&user.server).create(&spec)).err().unwrap();
    assert_lacks(&error, &user, &place.name);
    assert_eq!((place.indexes(), place.keys()), (vec![], vec![]), "nothing is left of what was not done");
}

#[test]
fn a_user_who_may_search_and_not_write() {
    run(async {
        let place = Place::new(services::redis());
        let spec = place.spec("x", &[]);
        let index = place.backend().create(&spec).await.unwrap();
        add(&*index, &rows(30, 1), Default::default()).await.unwrap();
        let user = User::new(&place, "reader", &format!("~*{}* &* +@all -@write", place.name));
        let reader = backend(&user.server).open(&spec).await.unwrap();
        assert_eq!(reader.count(Scope::All).await.unwrap(), 30);
        let error = add(&*reader, &rows(2, 2), Default::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
        assert_eq!(index.count(Scope::All).await.unwrap(), 30);
    });
}

/// The least that an index needs; what the documentation tells an operator.
#[test]
fn a_user_with_just_enough_can_do_everything() {
    run(async {
        let place = Place::new(services::redis());
        let user = User::new(&place, "guest", &format!("~{0}* ~brain-index|{0}* +@all -@admin -@dangerous +info", place.name));
        let backend = backend(&user.server);
        let spec = place.spec("x", &[]);
        let index = backend.create(&spec).await.unwrap();
        add(&*index, &rows(30, 1), Default::default()).await.unwrap();
        assert_eq!(index.count(Scope::All).await.unwrap(), 30);
        brain_testkit::questions::assert_answers(&*index, &rows(30, 1), &mut Default::default()).await;
        // What is taken away in the middle is said, not taken for an empty index.
        user.may("-FT.SEARCH -FT.INFO");
        let error = index.count(Scope::All).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
        user.may("+@all");
        assert!(backend.drop_index(&(&spec).into()).await.unwrap());
    });
}
