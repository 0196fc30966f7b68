//! The objects that the org has, and their fields.

use serde_json::{Value, json};

/// An object, e.g. `Account`.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) name: &'static str,
    /// How its ids begin.
    pub(crate) prefix: &'static str,
    /// Whether it is found by the tooling API, rather than by the usual one.
    pub(crate) tooling: bool,
    pub(crate) required: &'static str,
    pub(crate) fields: &'static [Field],
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
    Reference(&'static str),
    Integer,
    Currency,
    Boolean,
    /// Kept by Salesforce: these cannot be written.
    Time,
    Deleted,
}

const fn field(name: &'static str, label: &'static str, kind: Kind) -> Field {
    Field { name, label, kind }
}

static OBJECTS: [Object; 5] = [
    Object {
        name: "Account",
        prefix: "001",
        tooling: false,
        required: "Name",
        fields: &[
            field("Id", "Account ID", Kind::Id),
            field("IsDeleted", "Deleted", Kind::Deleted),
            field("Name", "Account Name", Kind::Text(255)),
            field("Phone", "Account Phone", Kind::Text(40)),
            field("Description", "Account Description", Kind::Text(32_000)),
            field(
                "Industry",
                "Industry",
                Kind::Picklist(&[
                    "Agriculture",
                    "Banking",
                    "Biotechnology",
                    "Education",
                    "Food & Beverage",
                    "Not For Profit",
                    "Technology",
                    "Other",
                ]),
            ),
            field("Rating", "Account Rating", Kind::Picklist(&["Hot", "Warm", "Cold"])),
            field("AnnualRevenue", "Annual Revenue", Kind::Currency),
            field("NumberOfEmployees", "Employees", Kind::Integer),
            field("External_Id__c", "External Id", Kind::ExternalId),
            field("CreatedDate", "Created Date", Kind::Time),
            field("LastModifiedDate", "Last Modified Date", Kind::Time),
        ],
    },
    Object {
        name: "Contact",
        prefix: "003",
        tooling: false,
        required: "LastName",
        fields: &[
            field("Id", "Contact ID", Kind::Id),
            field("IsDeleted", "Deleted", Kind::Deleted),
            field("FirstName", "First Name", Kind::Text(40)),
            field("LastName", "Last Name", Kind::Text(80)),
            field("Email", "Email", Kind::Text(80)),
            field("AccountId", "Account ID", Kind::Reference("Account")),
            field("LeadSource", "Lead Source", Kind::Picklist(&["Web", "Phone Inquiry", "Other"])),
            field("External_Id__c", "External Id", Kind::ExternalId),
            field("CreatedDate", "Created Date", Kind::Time),
            field("LastModifiedDate", "Last Modified Date", Kind::Time),
        ],
    },
    Object {
        name: "User",
        prefix: "005",
        tooling: false,
        required: "Username",
        fields: &[
            field("Id", "User ID", Kind::Id),
            field("Username", "Username", Kind::Text(80)),
            field("LastName", "Last Name", Kind::Text(80)),
            field("Name", "Full Name", Kind::Text(121)),
            field("Email", "Email", Kind::Text(128)),
            field("IsActive", "Active", Kind::Boolean),
            field("CreatedDate", "Created Date", Kind::Time),
            field("LastModifiedDate", "Last Modified Date", Kind::Time),
        ],
    },
    Object {
        name: "Organization",
        prefix: "00D",
        tooling: false,
        required: "Name",
        fields: &[
            field("Id", "Organization ID", Kind::Id),
            field("Name", "Name", Kind::Text(80)),
            field("OrganizationType", "Edition", Kind::Text(40)),
            field("InstanceName", "Instance Name", Kind::Text(5)),
            field("IsSandbox", "Is Sandbox", Kind::Boolean),
            field("NamespacePrefix", "Namespace Prefix", Kind::Text(15)),
            field("TrialExpirationDate", "Trial Expiration Date", Kind::Time),
            field("CreatedDate", "Created Date", Kind::Time),
            field("LastModifiedDate", "Last Modified Date", Kind::Time),
        ],
    },
    Object {
        name: "ApexClass",
        prefix: "01p",
        tooling: true,
        required: "Name",
        fields: &[
            field("Id", "Class ID", Kind::Id),
            field("IsDeleted", "Deleted", Kind::Deleted),
            field("Name", "Name", Kind::Text(255)),
            field("Body", "Body", Kind::Text(32_000)),
            field("CreatedDate", "Created Date", Kind::Time),
            field("LastModifiedDate", "Last Modified Date", Kind::Time),
        ],
    },
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
        !matches!(self.kind, Kind::Id | Kind::Time | Kind::Deleted)
    }

    /// Whether it can have that value.
    pub(crate) fn takes(&self, value: &Value) -> bool {
        match self.kind {
            _ if value.is_null() => true,
            Kind::Integer => value.is_i64(),
            Kind::Currency => value.is_number(),
            Kind::Boolean | Kind::Deleted => value.is_boolean(),
            _ => value.is_string(),
        }
    }

    fn describe(&self, of: &Object) -> Value {
        let (kind, length) = match self.kind {
            Kind::Id => ("id", 18),
            Kind::Text(length) if length > 255 => ("textarea", length),
            Kind::Text(length) => ("string", length),
            Kind::ExternalId => ("string", 80),
            Kind::Picklist(_) => ("picklist", 255),
            Kind::Reference(_) => ("reference", 18),
            Kind::Integer => ("int", 0),
            Kind::Currency => ("currency", 0),
            Kind::Time => ("datetime", 0),
            Kind::Boolean | Kind::Deleted => ("boolean", 0),
        };
        let values = if let Kind::Picklist(values) = self.kind { values } else { &[] };
        let value = |value: &&str| json!({ "active": true, "defaultValue": false, "label": value, "validFor": null, "value": value });
        let refers_to = if let Kind::Reference(object) = self.kind { vec![object] } else { vec![] };
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
            "referenceTo": refers_to,
        })
    }
}
