//! What the speed claims rest on: this crate against hand-written code on ureq and `serde_json`
//! alone, with the same settings, in one run. `cargo bench` prints the ratios.
//!
//! Both sides take turns, and each pair of turns gives a ratio, so that a machine that is busy for a
//! while is so for both. The org is in this process; the clients are in child processes, so that
//! their memory and their processor time are theirs alone.

use std::env;
use std::fs;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::str;
use std::time::{Duration, Instant};

use fake_org::{Answer, CLIENT_ID, CLIENT_SECRET, Org, PASSWORD, Request, SECURITY_TOKEN, USERNAME, gzip};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sf_login::ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use sf_login::ureq::{self, Agent};
use sf_login::{App, Login};

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

const PAGE: usize = 2_000;
const PAGES: [usize; 3] = [1, 20, 50];

fn main() -> Done {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["login", url] => logins(url),
        ["request", url] => requests(url),
        ["reconnect", url] => reconnects(url),
        ["query", url] => queries(url),
        ["memory", url, side, pages] => memory(url, side, pages.parse()?),
        // Without it, this is `cargo test --all-targets`, where nobody waits for figures.
        _ if args.iter().any(|arg| arg == "--bench") => table(),
        _ => Ok(()),
    }
}

/// Runs all comparisons, each in a process of its own.
fn table() -> Done {
    let org = Org::start_tls();
    org.setup(|setup| setup.keep_requests = 10);
    let pages = pages();
    org.always("/services/apexrest/last", Answer::json(200, "{}").header("Connection", "close"));
    org.always_with("/services/data/v66.0/query", move |request| page(&pages, request));

    println!(
        "{:38}{:>10}{:>10}   ratio of each pair: median (min to max); of processor time",
        "", "ours", "floor"
    );
    for (kind, name) in [
        ("login", "login, over TLS"),
        ("request", "login and request, over TLS"),
        ("reconnect", "request over a new connection, TLS"),
        ("query", "query of 20 pages, 40,000 records"),
    ] {
        let connections = org.connections();
        let line = child(&org, &[kind])?;
        let (turns, line) = line.split_once(' ').ok_or("a child says how many turns it took")?;
        println!("{name:38}{line}");
        if kind == "request" {
            // Of both sides together, unrounded: were one of them to need two, it would show.
            let each = f64::from(u32::try_from(org.connections() - connections)?) / turns.parse::<f64>()?;
            println!("{:38}{each:>10.2}", "  connections a turn, on average");
        }
    }
    for pages in ["1", "20", "50"] {
        let ours = child(&org, &["memory", "ours", pages])?;
        let floor = child(&org, &["memory", "floor", pages])?;
        println!("{:38}{ours:>10}{floor:>10}", format!("peak memory of {pages} pages"));
    }
    Ok(())
}

fn child(org: &Org, args: &[&str]) -> Done<String> {
    let mut child = Command::new(env::current_exe()?);
    child.arg(args[0]).arg(org.url()).args(&args[1..]).env("SSL_CERT_FILE", org.ca_file());
    for proxy in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env_remove(proxy);
    }
    let output = child.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("the child {args:?} failed").into());
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// A new agent and so a new connection for each login, as programs do that log in once.
fn logins(url: &str) -> Done {
    compare(
        300,
        || {
            let token = ours(url).token()?;
            black_box(token.access_token());
            Ok(())
        },
        || {
            black_box(floor::log_in(&floor::agent()?, url)?.access_token);
            Ok(())
        },
    )
}

fn requests(url: &str) -> Done {
    compare(
        300,
        || {
            let session = ours(url).session()?;
            black_box(session.get::<Value>("limits")?);
            Ok(())
        },
        || {
            let agent = floor::agent()?;
            let token = floor::log_in(&agent, url)?;
            black_box(floor::get::<Value>(&agent, &token, "/services/data/v66.0/limits")?);
            Ok(())
        },
    )
}

/// What a session does after a while without requests, when its connection is gone.
fn reconnects(url: &str) -> Done {
    let session = ours(url).session()?;
    let agent = floor::agent()?;
    let token = floor::log_in(&agent, url)?;
    let path = "/services/apexrest/last";
    compare(
        300,
        || {
            black_box(session.get::<Value>(path)?);
            Ok(())
        },
        || {
            black_box(floor::get::<Value>(&agent, &token, path)?);
            Ok(())
        },
    )
}

fn queries(url: &str) -> Done {
    let session = ours(url).session()?;
    let agent = floor::agent()?;
    let token = floor::log_in(&agent, url)?;
    let soql = soql(20);
    compare(
        40,
        || {
            let mut employees = 0;
            for account in session.query::<Account>(&soql) {
                employees += black_box(account?).employees;
            }
            is_sum(20, employees)
        },
        || is_sum(20, floor::query(&agent, &token, &soql)?),
    )
}

/// The most memory that this process has had, after one query.
fn memory(url: &str, side: &str, pages: usize) -> Done {
    let soql = soql(pages);
    if side == "ours" {
        let mut employees = 0;
        for account in ours(url).session()?.query::<Account>(&soql) {
            employees += black_box(account?).employees;
        }
        is_sum(pages, employees)?;
    } else {
        let agent = floor::agent()?;
        let token = floor::log_in(&agent, url)?;
        is_sum(pages, floor::query(&agent, &token, &soql)?)?;
    }
    let peak = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown");
    println!("{}", peak.trim());
    Ok(())
}

fn ours(url: &str) -> Login {
    App::new(CLIENT_ID, CLIENT_SECRET)
        .password(USERNAME, PASSWORD)
        .security_token(SECURITY_TOKEN)
        .login_url(url)
}

/// What somebody would write who does without this crate, and forgets nothing.
mod floor {
    use super::{
        Account, Agent, CLIENT_ID, CLIENT_SECRET, Deserialize, DeserializeOwned, Done, Duration, PASSWORD,
        PemItem, RootCerts, SECURITY_TOKEN, TlsConfig, USERNAME, black_box, env, fs, parse_pem, str, ureq,
    };

    #[derive(Deserialize)]
    pub struct Token {
        pub access_token: String,
        instance_url: String,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Page<T> {
        next_records_url: Option<String>,
        records: Vec<T>,
    }

    pub fn agent() -> Done<Agent> {
        let pem = fs::read(env::var("SSL_CERT_FILE")?)?;
        let roots = parse_pem(&pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        let tls = TlsConfig::builder().root_certs(RootCerts::from(roots)).build();
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

    pub fn log_in(agent: &Agent, url: &str) -> Done<Token> {
        let password = format!("{PASSWORD}{SECURITY_TOKEN}");
        let form = [
            ("grant_type", "password"),
            ("client_id", CLIENT_ID),
            ("client_secret", CLIENT_SECRET),
            ("username", USERNAME),
            ("password", &password),
        ];
        let request = agent.post(format!("{url}/services/oauth2/token")).header("Accept", "application/json");
        read(request.send_form(form)?, 1024 * 1024)
    }

    pub fn get<T: DeserializeOwned>(agent: &Agent, token: &Token, path: &str) -> Done<T> {
        let request = agent
            .get(format!("{}{path}", token.instance_url))
            .header("Accept", "application/json")
            .header("Authorization", format!("Bearer {}", token.access_token));
        read(request.call()?, 128 * 1024 * 1024)
    }

    pub fn query(agent: &Agent, token: &Token, soql: &str) -> Done<u64> {
        let mut employees = 0;
        let mut next = Some(format!("/services/data/v66.0/query?q={}", soql.replace(' ', "+")));
        while let Some(path) = next {
            let page: Page<Account> = get(agent, token, &path)?;
            for account in page.records {
                employees += black_box(account).employees;
            }
            next = page.next_records_url;
        }
        Ok(employees)
    }

    fn read<T: DeserializeOwned>(mut response: ureq::http::Response<ureq::Body>, limit: u64) -> Done<T> {
        let body = response.body_mut().with_config().limit(limit).read_to_vec()?;
        if !response.status().is_success() {
            return Err(format!("{}: {}", response.status(), String::from_utf8_lossy(&body)).into());
        }
        // Checked for UTF-8 once, which is quicker than string by string.
        Ok(serde_json::from_str(str::from_utf8(&body)?)?)
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

fn soql(pages: usize) -> String {
    let fields = "Id, Name, Industry, AnnualRevenue, NumberOfEmployees, LastModifiedDate";
    format!("SELECT {fields} FROM Account LIMIT {}", pages * PAGE)
}

/// No record is lost on either side.
fn is_sum(pages: usize, employees: u64) -> Done {
    let records = (pages * PAGE) as u64;
    let all = records * (records + 1) / 2;
    if employees == all { Ok(()) } else { Err(format!("{employees} employees, not {all}").into()) }
}

/// The pages of each query, compressed, so that serving them costs next to nothing.
fn pages() -> Vec<(usize, Vec<Vec<u8>>)> {
    let page = |pages: usize, number: usize| {
        let record = |n: usize| {
            json!({
                "attributes": { "type": "Account", "url": format!("/services/data/v66.0/sobjects/Account/0015g00000{n:05}AAA") },
                "Id": format!("0015g00000{n:05}AAA"),
                "Name": format!("Account {n:05} of a company with a name"),
                "Industry": if n % 3 == 0 { Value::Null } else { "Technology".into() },
                "AnnualRevenue": 1_000.5 * f64::from(u32::try_from(n).unwrap_or_default()),
                "NumberOfEmployees": n,
                "LastModifiedDate": "2026-11-23T18:58:00.000+0000",
            })
        };
        let records: Vec<Value> = (number * PAGE + 1..=(number + 1) * PAGE).map(record).collect();
        let mut page = json!({ "totalSize": pages * PAGE, "done": number + 1 == pages, "records": records });
        if number + 1 < pages {
            page["nextRecordsUrl"] = format!("/services/data/v66.0/query/{pages}-{}", number + 1).into();
        }
        gzip(page.to_string().as_bytes())
    };
    PAGES.map(|pages| (pages, (0..pages).map(|number| page(pages, number)).collect())).into()
}

fn page(pages: &[(usize, Vec<Vec<u8>>)], request: &Request) -> Answer {
    let cursor = request.path.rsplit('/').next().and_then(|id| id.split_once('-'));
    let (pages_wanted, number) = if let Some((pages, number)) = cursor {
        (pages.parse().unwrap_or(0), number.parse().unwrap_or(0))
    } else {
        let soql = request.param("q").unwrap_or_default();
        let limit = soql.rsplit(' ').next().and_then(|limit| limit.parse::<usize>().ok());
        (limit.unwrap_or(0) / PAGE, 0)
    };
    let query = pages.iter().find(|(pages, _)| *pages == pages_wanted);
    match query.and_then(|(_, bodies)| bodies.get(number)) {
        Some(body) => Answer::json(200, "").header("Content-Encoding", "gzip").body(body.clone()),
        None => Answer::api_error(400, "MALFORMED_QUERY", "no such query"),
    }
}

/// Has both sides take turns, and prints how many turns there were, the median of what each took,
/// and the ratios.
fn compare(rounds: usize, mut ours: impl FnMut() -> Done, mut floor: impl FnMut() -> Done) -> Done {
    let warm_up = rounds / 10;
    let (mut wall, mut cpu) = ([vec![], vec![], vec![]], vec![]);
    for round in 0..warm_up + rounds {
        let (our, their) = if round % 2 == 0 {
            let our = time(&mut ours)?;
            (our, time(&mut floor)?)
        } else {
            let their = time(&mut floor)?;
            (time(&mut ours)?, their)
        };
        if round >= warm_up {
            wall[0].push(our.0.as_secs_f64() * 1e3);
            wall[1].push(their.0.as_secs_f64() * 1e3);
            wall[2].push(our.0.div_duration_f64(their.0));
            cpu.extend(our.1.zip(their.1).map(|(our, their)| our.div_duration_f64(their)));
        }
    }
    for times in &mut wall {
        times.sort_by(f64::total_cmp);
    }
    cpu.sort_by(f64::total_cmp);
    let [our, their, ratios] = &wall;
    print!("{} {:7.2} ms{:7.2} ms", 2 * (warm_up + rounds), our[rounds / 2], their[rounds / 2]);
    print!("   {:.3} ({:.2} to {:.2})", ratios[rounds / 2], ratios[0], ratios[rounds - 1]);
    match cpu.get(rounds / 2) {
        Some(ratio) => println!("; {ratio:.3}"),
        None => println!("; unknown"),
    }
    Ok(())
}

/// How long it took, and how much of it this thread was on a processor.
fn time(work: &mut impl FnMut() -> Done) -> Done<(Duration, Option<Duration>)> {
    let (begin, cpu) = (Instant::now(), on_processor());
    work()?;
    let elapsed = begin.elapsed();
    Ok((elapsed, on_processor().zip(cpu).map(|(end, begin)| end.saturating_sub(begin))))
}

fn on_processor() -> Option<Duration> {
    let nanos = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(nanos.split(' ').next()?.parse().ok()?))
}
