//! The objects that the org has, and their fields.

use serde_json::{Value, json};

/// An object, e.g. `Account`.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) name: &'static str,
    /// How its ids begin.
    pub(crate) prefix: &'static str,
    pub(crate) reach: Reach,
    pub(crate) required: &'static str,
    pub(crate) fields: &'static [Field],
}

/// Where the API has an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reach {
    Everywhere,
    Queries,
    ToolingQueries,
}

/// A field, e.g. `Industry`.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    label: &'static str,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Id,
    Text(u16),
    ExternalId,
    Picklist(&'static [&'static str]),
    /// Another record's id.
    Reference,
    Integer,
    Boolean,
    /// Kept by Salesforce: these cannot be written.
    Time,
    Deleted,
    /// Text that no query can filter by.
    Unfiltered,
}

const fn field(name: &'static str, label: &'static str, kind: Kind) -> Field {
    Field { name, label, kind }
}

#[rustfmt::skip]
static OBJECTS: [Object; 6] = [
    Object { name: "Account", prefix: "001", reach: Reach::Everywhere, required: "Name", fields: &[
        field("Id", "Account ID", Kind::Id),
        field("IsDeleted", "Deleted", Kind::Deleted),
        field("Name", "Account Name", Kind::Text(255)),
        field("Industry", "Industry", Kind::Picklist(&["Agriculture", "Banking", "Food & Beverage"])),
        field("Rating", "Account Rating", Kind::Picklist(&["Hot", "Warm", "Cold"])),
        field("NumberOfEmployees", "Employees", Kind::Integer),
        field("External_Id__c", "External Id", Kind::ExternalId),
        field("CreatedDate", "Created Date", Kind::Time),
        field("LastModifiedDate", "Last Modified Date", Kind::Time),
    ] },
    Object { name: "Contact", prefix: "003", reach: Reach::Everywhere, required: "LastName", fields: &[
        field("Id", "Contact ID", Kind::Id),
        field("IsDeleted", "Deleted", Kind::Deleted),
        field("LastName", "Last Name", Kind::Text(80)),
        field("External_Id__c", "External Id", Kind::ExternalId),
        field("CreatedDate", "Created Date", Kind::Time),
        field("LastModifiedDate", "Last Modified Date", Kind::Time),
    ] },
    Object { name: "User", prefix: "005", reach: Reach::Everywhere, required: "Username", fields: &[
        field("Id", "User ID", Kind::Id),
        field("Username", "Username", Kind::Text(80)),
        field("Name", "Full Name", Kind::Text(121)),
    ] },
    Object { name: "Organization", prefix: "00D", reach: Reach::Everywhere, required: "Name", fields: &[
        field("Id", "Organization ID", Kind::Id),
        field("Name", "Name", Kind::Text(80)),
        field("OrganizationType", "Edition", Kind::Text(40)),
        field("InstanceName", "Instance Name", Kind::Text(5)),
        field("IsSandbox", "Is Sandbox", Kind::Boolean),
        field("NamespacePrefix", "Namespace Prefix", Kind::Text(15)),
        field("TrialExpirationDate", "Trial Expiration Date", Kind::Time),
    ] },
    Object { name: "ApexClass", prefix: "01p", reach: Reach::ToolingQueries, required: "Name", fields: &[
        field("Id", "Class ID", Kind::Id),
        field("Name", "Name", Kind::Text(255)),
        field("Body", "Body", Kind::Text(32_000)),
    ] },
    Object { name: "LoginHistory", prefix: "0Ya", reach: Reach::Queries, required: "UserId", fields: &[
        field("Id", "Login ID", Kind::Id),
        field("UserId", "User ID", Kind::Reference),
        field("LoginTime", "Login Time", Kind::Time),
        field("Status", "Status", Kind::Unfiltered),
        field("LoginType", "Login Type", Kind::Text(40)),
        field("LoginSubType", "Login Subtype", Kind::Unfiltered),
        field("Application", "Application", Kind::Unfiltered),
        field("SourceIp", "Source IP", Kind::Unfiltered),
        field("LoginUrl", "Login URL", Kind::Text(255)),
    ] },
];

/// An object by its name, in whichever case.
pub(crate) fn object(name: &str) -> Option<&'static Object> {
    OBJECTS.iter().find(|object| object.name.eq_ignore_ascii_case(name))
}

impl Object {
    /// A field by its name, in whichever case.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// What `sobjects/X/describe` says.
    pub(crate) fn describe(&self) -> Value {
        json!({
            "name": self.name,
            "label": self.name,
            "labelPlural": format!("{}s", self.name),
            "keyPrefix": self.prefix,
            "custom": false,
            "createable": true,
            "updateable": true,
            "deletable": true,
            "queryable": true,
            "childRelationships": [],
            "recordTypeInfos": [],
            "urls": { "sobject": format!("/services/data/v68.0/sobjects/{}", self.name) },
            "fields": self.fields.iter().map(|field| field.describe(self)).collect::<Vec<_>>(),
        })
    }
}

impl Field {
    /// Whether clients may set it.
    pub(crate) fn writable(&self) -> bool {
        !matches!(self.kind, Kind::Id | Kind::Time | Kind::Deleted | Kind::Unfiltered)
    }

    /// Whether it can have that value.
    pub(crate) fn takes(&self, value: &Value) -> bool {
        match self.kind {
            _ if value.is_null() => true,
            Kind::Integer => value.is_i64(),
            Kind::Boolean | Kind::Deleted => value.is_boolean(),
            _ => value.is_string(),
        }
    }

    fn describe(&self, of: &Object) -> Value {
        let (kind, length) = match self.kind {
            Kind::Id => ("id", 18),
            Kind::Text(length) if length > 255 => ("textarea", length),
            Kind::Text(length) => ("string", length),
            Kind::ExternalId | Kind::Unfiltered => ("string", 80),
            Kind::Picklist(_) => ("picklist", 255),
            Kind::Reference => ("reference", 18),
            Kind::Integer => ("int", 0),
            Kind::Time => ("datetime", 0),
            Kind::Boolean | Kind::Deleted => ("boolean", 0),
        };
        let values = if let Kind::Picklist(values) = self.kind { values } else { &[] };
        let value = |value: &&str| json!({ "active": true, "defaultValue": false, "label": value, "validFor": null, "value": value });
        json!({
            "name": self.name,
            "label": self.label,
            "type": kind,
            "length": length,
            "custom": self.name.ends_with("__c"),
            "createable": self.writable(),
            "updateable": self.writable(),
            "nillable": self.writable() && self.name != of.required,
            "externalId": self.kind == Kind::ExternalId,
            "picklistValues": values.iter().map(value).collect::<Vec<_>>(),
            "referenceTo": [],
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn objects_and_fields_are_listed_for_people() {
        let listed: Vec<&str> = include_str!("../API.md").split_whitespace().collect();
        for object in &super::OBJECTS {
            let fields: Vec<&str> = object.fields.iter().map(|field| field.name).collect();
            let line = format!(" - `{}`: `{}` ", object.name, fields.join(", "));
            assert!(listed.join(" ").contains(&line), "{line}");
        }
    }
}
