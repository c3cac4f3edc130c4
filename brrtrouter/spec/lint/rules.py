"""Every rule of the linter: its stable name, its severity, what it finds and what to do about it.

An error breaks the specification or keeps the document from being served.  A warning is legal or harmless to the
server, and hardly what the author meant.  An info is worth knowing.  Rules with the name of an issue of the loader are
reported by the loader; here they only get a severity and a suggestion.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Severity = Literal["error", "warning", "info"]
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")


class Rule(NamedTuple):
    """`severity` is the least one: what keeps the loader from serving a document is an error under any rule."""

    name: str
    severity: Severity
    summary: str
    suggestion: str


def _rules(severity: Severity, *rows: tuple[str, str, str]) -> dict[str, Rule]:
    return {name: Rule(name, severity, summary, suggestion) for name, summary, suggestion in rows}


# Reading a file at all, and finding what it refers to.
_READING: Final = {
    **_rules(
        "error",
        ("InvalidYaml", "the file is no YAML", "Mend the syntax at the place named."),
        ("InvalidJson", "the file is no JSON", "Mend the syntax at the place named."),
        ("LimitExceeded", "reading the document would cost too much", "Split the document, or raise the limit named."),
        ("UnsupportedVersion", "the document is not of OpenAPI 3.0, 3.1 or 3.2", "Convert it to OpenAPI 3.1."),
        ("DuplicateKey", "an object has the same key twice", "Remove one of the two: which of them counts is open."),
    ),
    **_rules(
        "error",
        *(
            (f"Unresolvable{name}Ref", f"a reference to {what} leads nowhere", "Define the target or mend the $ref.")
            for name, what in (
                ("PathItem", "a path item"),
                ("Operation", "an operation"),
                ("Parameter", "a parameter"),
                ("Header", "a header"),
                ("RequestBody", "a request body"),
                ("Response", "a response"),
                ("MediaType", "a media type"),
                ("Callback", "a callback"),
                ("Link", "a link"),
                ("Example", "an example"),
                ("SecurityScheme", "a security scheme"),
                ("Schema", "a schema"),
            )
        ),
        ("UnresolvableMapping", "a discriminator maps to a schema that does not exist", "Name a schema that exists."),
    ),
    **_rules(
        "warning",
        ("UnsupportedExternalRef", "a $ref needs the network; an error where a request depends on it",
         "Keep a copy beside the document and refer to that."),
        ("UnresolvableLink", "a link names an operation that does not exist", "Name the operationId of an operation."),
        ("InvalidExpression", "a callback or a link has a runtime expression that is none",
         "Write it as OpenAPI 3.1 section 4.8.20.3 says."),
        ("NonStandardRef", "a $ref stands where the specification has none", "Write the object out, or move the $ref."),
        ("PathItemRefSiblings", "a path item has fields beside $ref", "Move the fields to the target of the $ref."),
        ("FieldBesideRef", "a field beside $ref is ignored", "Put the $ref and the field into an allOf, or drop it."),
    ),
    **_rules(
        "info",
        ("AnnotationBesideRef", "a text or an example beside $ref is ignored", "Move it to the target of the $ref."),
    ),
}  # fmt: skip

# The shape of the objects.
_SHAPE: Final = {
    **_rules(
        "error",
        ("MissingField", "a required field is missing", "Add the field."),
        ("UnknownField", "the object has no such field", "Mend the spelling, or begin its name with x-."),
        ("FieldOfLaterVersion", "the field came with a later version of OpenAPI", "Raise the version in `openapi`."),
        ("WrongType", "a value has the wrong type", "Write the value as the message says."),
        ("ConflictingFields", "two fields exclude each other", "Keep one of the two."),
        ("InvalidValue", "a field has a value that the specification has no place for", "Use a value that it lists."),
        ("InvalidComponentName", "the name of a component has other characters than A-Z a-z 0-9 . _ -",
         "Rename the component."),
    ),
    **_rules(
        "warning",
        ("EncodingWithoutProperty", "an encoding is for a property that the schema has not",
         "Rename it, or describe the property."),
        ("FieldWithoutMeaning", "a field has no meaning where it stands", "Remove the field."),
        ("NotExecuted", "the construct is read and checked, but not acted upon at run time",
         "Do not rely on the server for it."),
    ),
    **_rules(
        "info",
        ("DeprecatedField", "the field is deprecated in this version of OpenAPI", "Use what the message names."),
        ("UnusedComponent", "nothing refers to the component", "Remove it, or refer to it."),
    ),
}  # fmt: skip

_PATHS: Final = {
    **_rules(
        "error",
        ("IllegalPathTemplate", "a path is no path template", "Mend the path as the message says."),
        ("CollidingPathTemplates", "two templates with the same method match the same requests",
         "Merge the two, or make their literal parts differ."),
        ("InvalidMethod", "a key of additionalOperations is no method, or has a field of its own",
         "Use the method's own field, or a method name of RFC 9110."),
        ("InvalidServer", "a server's url or variables are no such thing", "Mend the server as the message says."),
        ("InvalidExtension", "an extension stands where it means nothing", "Move or remove it."),
    ),
    **_rules(
        "warning",
        ("IdenticalPathTemplates", "two paths differ in the names of their variables only",
         "Put all methods below one path."),
        ("AmbiguousPathTemplates", "two templates match the same path and neither is the more special one",
         "Give one of the two a literal segment of its own."),
        ("ShadowedParameterValue", "a value of a path parameter is the literal of another path",
         "Rename the literal, or drop the value from the enum."),
        ("FragmentInPath", "a path has a fragment, which never reaches a server", "Remove the fragment."),
        ("QueryInPath", "a path has a query, which the specification does not know",
         "Describe the query by parameters."),
        ("UnreachableOperation", "the operation cannot be reached", "Give it a path and a method of its own."),
        ("TemplateVariableWithoutParameter", "a template variable has no parameter",
         "Describe it by a parameter with `in: path`."),
        ("ParameterWithoutTemplateVariable", "a path parameter has no template variable",
         "Remove it, or put it in braces into the path."),
    ),
    **_rules(
        "info",
        ("UnusedServerVariable", "the url of the server does not have the variable", "Remove the variable."),
    ),
}  # fmt: skip

_OPERATIONS: Final = {
    **_rules(
        "error",
        ("DuplicateOperationId", "two operations have the same operationId", "Rename one of the two."),
        ("DuplicateParameter", "a list has two parameters of the same name and location", "Remove one of the two."),
        ("InvalidParameter", "a parameter is not what a parameter can be", "Mend it as the message says."),
        ("InvalidHeader", "the name of a header is no token", "Use the characters of RFC 9110 section 5.6.2."),
        ("InvalidStatus", "a key of responses is no status", "Use 100 to 599, 1XX to 5XX or default."),
        ("InvalidSecurityScheme", "a security scheme lacks what its type needs", "Add what the message names."),
        ("UndefinedSecurityScheme", "a security requirement names a scheme that does not exist",
         "Define it in components/securitySchemes."),
        ("DuplicateTag", "two tags have the same name", "Remove one of the two."),
        ("InvalidTagParent", "the parent of a tag does not exist, or is the tag itself",
         "Declare the parent in the list of tags."),
    ),
    **_rules(
        "warning",
        ("MissingHandler", "an operation has no name of its own", "Add an operationId."),
        ("MissingSchema", "a parameter has no schema", "Say what it is by a schema."),
        ("MissingContent", "a request body has no content", "Add its media types."),
        ("MissingSuccessResponse", "an operation declares no answer but errors",
         "Declare the status of the answer when all goes well."),
        ("BodyWithoutMeaning", "a request with this method has a body", "Use POST, PUT, PATCH or QUERY."),
        ("ResponseBodyWithoutMeaning", "a response that never has a body declares content", "Remove the content."),
        ("PathParameterNotRequired", "a path parameter is not required", "Write `required: true`."),
        ("MeaninglessStyle", "the style has no meaning with this location, schema or explode",
         "Use a style that the specification defines for it."),
        ("AmbiguousSchema", "the schema of a parameter allows several shapes", "Restrict `type`."),
        ("NestedParameter", "arrays or objects inside a parameter have no text form", "Use `content` with JSON."),
        ("IgnoredHeaderParameter", "a header parameter with this name is ignored", "Describe it where it belongs."),
        ("InvalidMediaType", "a key of content is no media type", "Write it as type/subtype."),
        ("UndefinedScope", "a scope is asked for that no flow of the scheme grants", "Add it to `scopes` of a flow."),
        ("ScopesWithoutMeaning", "scopes are listed for a scheme that has none", "Leave the list empty."),
    ),
    **_rules(
        "info",
        ("DefaultOfRequired", "a required parameter has a default, which never applies", "Drop one of the two."),
        ("UnusedSecurityScheme", "nothing requires the security scheme", "Remove it, or require it."),
        ("UnusedScope", "no operation asks for the scope", "Remove it, or ask for it."),
        ("UndeclaredTag", "an operation has a tag that the document does not declare", "Add it to the list of tags."),
    ),
}  # fmt: skip

_SCHEMAS: Final = {
    **_rules(
        "error",
        ("InvalidSchema", "a schema is not valid in the document's dialect", "Mend the keyword that is named."),
    ),
    **_rules(
        "warning",
        ("InvalidDefault", "a default does not satisfy its schema", "Mend the default or the schema."),
        ("InvalidExample", "an example does not satisfy its schema", "Mend the example or the schema."),
        ("InvalidEnumValue", "a value of an enum can never be valid", "Mend the value or the rest of the schema."),
        ("NullNotInEnum", "a nullable schema has an enum without null, so that null is refused",
         "Add null to the enum."),
        ("NullableWithoutType", "nullable without type has no effect", "Add the type beside it."),
        ("KeywordWithoutMeaning", "a keyword says nothing about values of this type", "Remove it, or mend the type."),
        ("UnsatisfiableSchema", "no value can satisfy the schema", "Mend the bounds that are named."),
        ("ObsoleteKeyword", "the keyword has no meaning since OpenAPI 3.1", "Use what the message names."),
        ("KeywordOfLaterVersion", "the keyword has no meaning before OpenAPI 3.1", "Raise the version in `openapi`."),
        ("UnknownKeyword", "OpenAPI and JSON Schema know no such keyword",
         "Mend the spelling, or begin its name with x-."),
        ("MissingItems", "an array has no items", "Say by `items` what is in it."),
    ),
    **_rules(
        "info",
        ("RequiredNotDescribed", "a required property is not among the properties", "Describe it in `properties`."),
    ),
}  # fmt: skip

GROUPS: Final[dict[str, dict[str, Rule]]] = {
    "Files and references": _READING,
    "Shape": _SHAPE,
    "Paths and servers": _PATHS,
    "Operations": _OPERATIONS,
    "Schemas and values": _SCHEMAS,
}
RULES: Final[dict[str, Rule]] = {name: rule for group in GROUPS.values() for name, rule in group.items()}
