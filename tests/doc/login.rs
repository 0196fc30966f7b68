// What the examples of the docs log in with, hidden there: the usual user of a fake org.
|org: &fake_org::Org| {
    sf_login::App::new(fake_org::CLIENT_ID, fake_org::CLIENT_SECRET)
        .password(fake_org::USERNAME, fake_org::PASSWORD)
        .security_token(fake_org::SECURITY_TOKEN)
        .login_url(org.url())
}
