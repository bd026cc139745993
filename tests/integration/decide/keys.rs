//! An API key never leaves the program but to its server.

use super::*;

#[test]
fn the_key_is_hidden_in_answers_of_another_shape_too() {
    let folder = project(1);
    let server = Server::start(|_| Reply::Body("{\"error\": {\"message\": \"no sk-very-secret\"}}".to_owned()));
    let base = server.base();
    for more in [
        &["--api-key-env", "TOY_KEY", "--retries", "0"][..],
        &["--api-key-env", "TOY_KEY", "--retries", "0", "--skip-failed"],
    ] {
        let answer = recmirror_with(&[("TOY_KEY", "sk-very-secret")], &arguments("decide", folder.path(), &base, more));
        let answer = answer.expect(1).says(&["another shape", "no [key]"]);
        assert!(!answer.stderr.contains("very-secret"), "{}", answer.stderr);
    }
}

#[test]
fn the_key_is_hidden_in_answers_that_repeat_it() {
    let folder = project(3);
    let server = Server::start(|request| {
        let answer = answers(request.scene, &request.body, request.body["n"].as_u64().unwrap_or(1));
        Reply::Body(answer.to_string().replace("number", "I saw sk-very-secret, number"))
    });
    let base = server.base();
    let all = arguments("decide", folder.path(), &base, &["--api-key-env", "TOY_KEY"]);
    let answer = recmirror_with(&[("TOY_KEY", "sk-very-secret")], &all).expect(0);
    assert!(decisions(folder.path()).contains("I saw [key], number"));
    let mut folders = vec![folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for path in crate::util::names_in(&folder).iter().map(|name| folder.join(name)) {
            match path.is_dir() {
                true => folders.push(path),
                false => assert!(!read(&path).contains("very-secret"), "{}", path.display()),
            }
        }
    }
    assert!(!(answer.stdout + &answer.stderr).contains("very-secret"));
}

#[test]
fn refusals_are_reported_at_once_and_without_the_key() {
    let key = [("TOY_KEY", "sk-very-secret")];
    let body = || json!({"error": {"message": "bad key sk-very-secret"}}).to_string();
    for (code, headers, expected) in [
        (401, "", "check the environment variable TOY_KEY"),
        (403, "", "check the environment variable TOY_KEY"),
        (404, "", "check --endpoint"),
        (400, "", "refuses the request (status 400)"),
        (413, "", "refuses the request (status 413)"),
        (308, "location: http://elsewhere/v1\r\n", "has moved to http://elsewhere/v1"),
        (429, "retry-after: 5000\r\n", "asks to wait 5000 s"),
    ] {
        let folder = project(3);
        let server = Server::start(move |_| Reply::Status(code, headers, body()));
        let base = server.base();
        let all = arguments("decide", folder.path(), &base, &["--api-key-env", "TOY_KEY", "--concurrency", "1"]);
        let answer = recmirror_with(&key, &all).expect(if code == 429 { 1 } else { 2 });
        let answer = answer.says(&[expected]);
        assert!(!answer.stderr.contains("very-secret"), "{}", answer.stderr);
        assert!(server.requests()[0].head.contains("authorization: bearer sk-very-secret"));
        let most = if code == 400 { 2 } else { 1 };
        assert_eq!(server.requests().len(), most, "status {code}");
    }
    let folder = project(1);
    let all = arguments("decide", folder.path(), "http://127.0.0.1:9", &["--api-key-env", "TOY_NONE"]);
    recmirror(&all).expect(2).says(&["TOY_NONE, which --api-key-env names, is not set"]);
    let all = arguments("decide", folder.path(), "http://127.0.0.1:9", &[]);
    recmirror(&all).expect(2).says(&["nothing answers at http://127.0.0.1:9/v1/chat/completions"]);
    let all = arguments("decide", folder.path(), "127.0.0.1:9", &[]);
    recmirror(&all).expect(2).says(&["give an address such as http://127.0.0.1:8080/v1"]);
}
