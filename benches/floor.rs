//! What the speed claims rest on: this crate against hand-written code on ureq and `serde_json`
//! alone, with the same settings, in one run. `cargo bench` prints the ratios, and `README.md` says
//! what each row means.
//!
//! Both sides take turns, so that a machine that is busy for a while is so for both. The org is in
//! this process; the clients are in child processes, so that their memory and their processor time
//! are theirs alone.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::hint::black_box;
use std::io::{self, BufWriter, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use fake_org::{Answer, Org, Request, gzip};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sf_login::{Login, Session};

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// How often each side logs in.
const LOGINS: usize = 300;
/// Records of a page, and of the queries.
const PAGE: usize = 2_000;
const QUERY: usize = 20 * PAGE;
const LONG_QUERY: usize = 50 * PAGE;

fn main() -> Done {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["login"] => logins(floor::Session::log_in),
        ["jwt"] => logins(floor::Session::log_in_by_jwt),
        ["request"] => requests(),
        ["reconnect"] => reconnects(),
        ["typed"] => queries(40, |account: &Account| account.employees),
        ["values"] => {
            queries(20, |account: &Value| account["NumberOfEmployees"].as_u64().unwrap_or_default())
        }
        ["memory", side, records] => memory(side, records.parse()?),
        ["print", soql] => floor::print(soql),
        // Without it, this is `cargo test --all-targets`, where nobody waits for figures.
        _ if args.iter().any(|arg| arg == "--bench") => table(),
        _ => Ok(()),
    }
}

/// Runs all comparisons.
fn table() -> Done {
    let org = Org::start_tls();
    org.setup(|setup| setup.keep_requests = 10);
    org.always("/services/apexrest/last", Answer::json(200, "{}").header("Connection", "close"));
    let pages: Vec<_> = [PAGE, QUERY, LONG_QUERY].into_iter().flat_map(pages).collect();
    org.always_with("/services/data/v66.0/query", move |request| page(&pages, request));
    let bench = |args: &[&str]| output(client(&org, env::current_exe()?).args(args));

    println!("{:34}{:>10}{:>10}   ratio (middle half); of processor time", "", "ours", "floor");
    for (kind, name) in [
        ("login", "login"),
        ("jwt", "login by JWT"),
        ("request", "login and request"),
        ("reconnect", "request over a new connection"),
        ("typed", "query of 40,000 records, typed"),
        ("values", "query of 40,000 records, Value"),
    ] {
        let connections = org.connections();
        let flow = if kind == "jwt" { "jwt_bearer" } else { "password" };
        println!("{name:34}{}", output(client(&org, env::current_exe()?).envs(org.env_for(flow)).arg(kind))?);
        if kind == "request" {
            // Of both sides together: were one of them to need two, it would show.
            println!("  {} connections for {} turns", org.connections() - connections, 2 * LOGINS);
        }
    }
    print!("{:34}", "sf-login query, 100,000 records");
    io::stdout().flush()?;
    processes(&org)?;
    for (records, name) in [(PAGE, "peak memory, 1 page"), (LONG_QUERY, "peak memory, 50 pages")] {
        let records = records.to_string();
        let (ours, floor) = (bench(&["memory", "ours", &records])?, bench(&["memory", "floor", &records])?);
        println!("{name:34}{ours:>10}{floor:>10}");
    }
    Ok(())
}

/// A program that logs in to `org`.
fn client(org: &Org, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(org.env()).stderr(Stdio::inherit());
    command
}

fn output(command: &mut Command) -> Done<String> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed").into());
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// A new agent and so a new connection for each login, as programs do that log in once.
fn logins(floor: fn() -> Done<floor::Session>) -> Done {
    compare(LOGINS, thread_time, || Ok(Login::from_env()?.token()?), floor)
}

fn requests() -> Done {
    compare(
        LOGINS,
        thread_time,
        || Ok(Session::from_env()?.get::<Value>("limits")?),
        || floor::parse::<Value>(&floor::Session::log_in()?.get("/services/data/v66.0/limits")?),
    )
}

/// What a session does after a while without requests, when its connection is gone.
fn reconnects() -> Done {
    let (ours, floor) = (Session::from_env()?, floor::Session::log_in()?);
    let path = "/services/apexrest/last";
    compare(LOGINS, thread_time, || Ok(ours.get::<Value>(path)?), || floor::parse::<Value>(&floor.get(path)?))
}

fn queries<T: DeserializeOwned>(rounds: usize, employees: fn(&T) -> u64) -> Done {
    let (ours, floor) = (Session::from_env()?, floor::Session::log_in()?);
    compare(
        rounds,
        thread_time,
        || ours_adds_up(&ours, QUERY, employees),
        || floor_adds_up(&floor, QUERY, employees),
    )
}

/// Queries, and checks that no record is lost.
fn ours_adds_up<T: DeserializeOwned>(session: &Session, records: usize, employees: fn(&T) -> u64) -> Done {
    let mut sum = 0;
    for account in session.query::<T>(&soql(records)) {
        sum += employees(black_box(&account?));
    }
    is_sum(records, sum)
}

fn floor_adds_up<T: DeserializeOwned>(
    session: &floor::Session,
    records: usize,
    employees: fn(&T) -> u64,
) -> Done {
    let mut sum = 0;
    session.query(&soql(records), |page| {
        let page: floor::Page<T> = floor::parse(page)?;
        for account in page.records {
            sum += employees(black_box(&account));
        }
        Ok(page.next_records_url)
    })?;
    is_sum(records, sum)
}

fn is_sum(records: usize, employees: u64) -> Done {
    let all = (records * (records + 1) / 2) as u64;
    if employees == all { Ok(()) } else { Err(format!("{employees} employees, not {all}").into()) }
}

/// The binary against a program that is as short as it can be, from start to exit.
fn processes(org: &Org) -> Done {
    let soql = soql(LONG_QUERY);
    let mut ours = client(org, env!("CARGO_BIN_EXE_sf-login"));
    ours.args(["query", &soql]);
    let mut floor = client(org, env::current_exe()?);
    floor.args(["print", &soql]);
    if output(&mut ours)? != output(&mut floor)? {
        return Err("they print different records".into());
    }
    for command in [&mut ours, &mut floor] {
        command.stdout(Stdio::null());
    }
    compare(40, children_time, || succeeds(&mut ours), || succeeds(&mut floor))
}

fn succeeds(command: &mut Command) -> Done {
    if command.status()?.success() { Ok(()) } else { Err(format!("{command:?} failed").into()) }
}

/// The most memory that this process has had, after one query.
fn memory(side: &str, records: usize) -> Done {
    let employees = |account: &Account| account.employees;
    match side {
        "ours" => ours_adds_up(&Session::from_env()?, records, employees)?,
        _ => floor_adds_up(&floor::Session::log_in()?, records, employees)?,
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("{}", peak.unwrap_or("unknown").trim());
    Ok(())
}

/// What somebody would write who does without this crate, and forgets nothing.
mod floor {
    use std::time::{Duration, SystemTime};
    use std::{env, fs, io, str};

    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
    use ring::{rand::SystemRandom, rsa, signature::RSA_PKCS1_SHA256};
    use serde::Deserialize;
    use serde_json::value::RawValue;
    use sf_login::ureq::{self, Agent, tls};

    use super::{BufWriter, Done, Write, json};

    #[derive(Deserialize)]
    struct Token {
        access_token: String,
        instance_url: String,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub struct Page<T> {
        pub next_records_url: Option<String>,
        pub records: Vec<T>,
    }

    pub struct Session {
        agent: Agent,
        token: Token,
    }

    impl Session {
        pub fn log_in() -> Done<Session> {
            Session::log_in_with(&[
                ("grant_type", "password"),
                ("client_id", &env::var("SF_CLIENT_ID")?),
                ("client_secret", &env::var("SF_CLIENT_SECRET")?),
                ("username", &env::var("SF_USERNAME")?),
                ("password", &(env::var("SF_PASSWORD")? + &env::var("SF_SECURITY_TOKEN")?)),
            ])
        }

        pub fn log_in_by_jwt() -> Done<Session> {
            let grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
            Session::log_in_with(&[("grant_type", grant_type), ("assertion", &assertion()?)])
        }

        fn log_in_with(form: &[(&str, &str)]) -> Done<Session> {
            let agent = agent()?;
            let url = env::var("SF_LOGIN_URL")? + "/services/oauth2/token";
            let reply =
                agent.post(url).header("Accept", "application/json").send_form(form.iter().copied())?;
            let token = parse(&body(reply, 1024 * 1024)?)?;
            Ok(Session { agent, token })
        }

        pub fn get(&self, path: &str) -> Done<Vec<u8>> {
            let request = self
                .agent
                .get(format!("{}{path}", self.token.instance_url))
                .header("Accept", "application/json")
                .header("Authorization", format!("Bearer {}", self.token.access_token));
            body(request.call()?, 128 * 1024 * 1024)
        }

        /// Hands each page to `read`, which says where the next one is.
        pub fn query(&self, soql: &str, mut read: impl FnMut(&[u8]) -> Done<Option<String>>) -> Done {
            let mut next = Some(format!("/services/data/v66.0/query?q={}", soql.replace(' ', "+")));
            while let Some(path) = next {
                next = read(&self.get(&path)?)?;
            }
            Ok(())
        }
    }

    /// What `sf-login query` does.
    pub fn print(soql: &str) -> Done {
        let mut out = BufWriter::new(io::stdout().lock());
        Session::log_in()?.query(soql, |page| {
            let page: Page<&RawValue> = parse(page)?;
            for record in page.records {
                out.write_all(record.get().as_bytes())?;
                out.write_all(b"\n")?;
            }
            Ok(page.next_records_url)
        })?;
        Ok(out.flush()?)
    }

    fn assertion() -> Done<String> {
        let pem = fs::read_to_string(env::var("SF_JWT_KEY_FILE")?)?;
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let key =
            rsa::KeyPair::from_pkcs8(&BASE64_STANDARD.decode(base64)?).map_err(|bad| bad.to_string())?;
        let (iss, sub, aud) =
            (env::var("SF_CLIENT_ID")?, env::var("SF_USERNAME")?, env::var("SF_LOGIN_URL")?);
        let exp = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs() + 300;
        let claims = json!({ "iss": iss, "sub": sub, "aud": aud, "exp": exp }).to_string();
        let [header, claims] =
            [r#"{"alg":"RS256"}"#, &claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|bad| bad.to_string())?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    fn agent() -> Done<Agent> {
        let pem = fs::read(env::var("SSL_CERT_FILE")?)?;
        let roots = tls::parse_pem(&pem).filter_map(|item| match item {
            Ok(tls::PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        let tls = tls::TlsConfig::builder().root_certs(tls::RootCerts::from(roots)).build();
        Ok(Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(30)))
            .timeout_resolve(Some(Duration::from_secs(10)))
            .timeout_connect(Some(Duration::from_secs(10)))
            .build()
            .new_agent())
    }

    fn body(mut reply: ureq::http::Response<ureq::Body>, limit: u64) -> Done<Vec<u8>> {
        let body = reply.body_mut().with_config().limit(limit).read_to_vec()?;
        if !reply.status().is_success() {
            return Err(format!("{}: {}", reply.status(), String::from_utf8_lossy(&body)).into());
        }
        Ok(body)
    }

    pub fn parse<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Done<T> {
        // Checked for UTF-8 once, which is quicker than string by string.
        Ok(serde_json::from_str(str::from_utf8(body)?)?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    #[serde(rename = "Id")]
    _id: String,
    #[serde(rename = "Name")]
    _name: String,
    #[serde(rename = "Industry")]
    _industry: Option<String>,
    #[serde(rename = "AnnualRevenue")]
    _annual_revenue: Option<f64>,
    #[serde(rename = "LastModifiedDate")]
    _last_modified_date: String,
    #[serde(rename = "NumberOfEmployees")]
    employees: u64,
}

fn soql(records: usize) -> String {
    let fields = "Id, Name, Industry, AnnualRevenue, NumberOfEmployees, LastModifiedDate";
    format!("SELECT {fields} FROM Account LIMIT {records}")
}

/// The pages of a query under the names by which they are asked for: `LIMIT-1` for the second.
/// Compressed, so that serving them costs next to nothing.
fn pages(records: usize) -> Vec<(String, Vec<u8>)> {
    let account = |n: usize| {
        let id = format!("0015g00000{n:06}AA");
        json!({
            "attributes": { "type": "Account", "url": format!("/services/data/v66.0/sobjects/Account/{id}") },
            "Id": id,
            "Name": format!("Account {n:06} of a company with a name"),
            "Industry": if n % 3 == 0 { Value::Null } else { "Technology".into() },
            "AnnualRevenue": 1_000.5 * f64::from(u32::try_from(n).unwrap_or_default()),
            "NumberOfEmployees": n,
            "LastModifiedDate": "2026-11-23T18:58:00.000+0000",
        })
    };
    let page = |number: usize| {
        let accounts: Vec<Value> = (number * PAGE + 1..=(number + 1) * PAGE).map(account).collect();
        let mut page = json!({ "totalSize": records, "done": true, "records": accounts });
        if (number + 1) * PAGE < records {
            page["done"] = false.into();
            page["nextRecordsUrl"] = format!("/services/data/v66.0/query/{records}-{}", number + 1).into();
        }
        (format!("{records}-{number}"), gzip(page.to_string().as_bytes()))
    };
    (0..records / PAGE).map(page).collect()
}

fn page(pages: &[(String, Vec<u8>)], request: &Request) -> Answer {
    let wanted = match request.path.strip_prefix("/services/data/v66.0/query/") {
        Some(cursor) => cursor.to_owned(),
        None => {
            format!("{}-0", request.param("q").unwrap_or_default().rsplit(' ').next().unwrap_or_default())
        }
    };
    match pages.iter().find(|(name, _)| *name == wanted) {
        Some((_, body)) => Answer::json(200, "").header("Content-Encoding", "gzip").body(body.clone()),
        None => Answer::api_error(400, "MALFORMED_QUERY", "no such query"),
    }
}

/// Has both sides take turns, and prints the median of what each took, the median of each pair's
/// ratio with the half of them that lies around it, and the ratio of all processor time.
fn compare<A, B>(
    rounds: usize,
    processor: fn() -> Option<f64>,
    mut ours: impl FnMut() -> Done<A>,
    mut floor: impl FnMut() -> Done<B>,
) -> Done {
    let mut ours = || ours().map(|done| drop(black_box(done)));
    let mut floor = || floor().map(|done| drop(black_box(done)));
    let sides: [&mut dyn FnMut() -> Done; 2] = [&mut ours, &mut floor];
    let (mut wall, mut spent) = ([vec![], vec![]], [0.0, 0.0]);
    for round in 0..rounds {
        for side in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            let (begin, processor_begin) = (Instant::now(), processor());
            sides[side]()?;
            wall[side].push(begin.elapsed().as_secs_f64() * 1e3);
            spent[side] += processor().zip(processor_begin).map_or(0.0, |(end, begin)| end - begin);
        }
    }
    let ratios = wall[0].iter().zip(&wall[1]).map(|(ours, floor)| ours / floor).collect();
    let [ours, floor, ratios] = [wall[0].clone(), wall[1].clone(), ratios].map(|mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        [1, 2, 3].map(|quarters| values[values.len() * quarters / 4])
    });
    print!(
        "{:7.2} ms{:7.2} ms   {:.3} ({:.2} to {:.2}); ",
        ours[1], floor[1], ratios[1], ratios[0], ratios[2]
    );
    // Not a number where there is no /proc.
    println!("{:.3}", spent[0] / spent[1]);
    Ok(())
}

/// How long this thread was on a processor.
fn thread_time() -> Option<f64> {
    fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// How long all processes were on a processor that this one has started and that have ended.
fn children_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may have spaces; after it, these are the 14th and 15th.
    let (_, fields) = stat.rsplit_once(')')?;
    let [user, system] = [13, 14].map(|n| fields.split_whitespace().nth(n)?.parse::<f64>().ok());
    Some(user? + system?)
}
