package policy

// Kind says what a source is to the principal that is judged. Its text is part
// of the JSON contract of `audit-policy`.
type Kind string

// The kinds of sources.
const (
	UserInline   Kind = "user-inline"
	UserManaged  Kind = "user-managed"
	GroupInline  Kind = "group-inline"
	GroupManaged Kind = "group-managed"
	RoleInline   Kind = "role-inline"
	RoleManaged  Kind = "role-managed"
	Boundary     Kind = "boundary"
	Session      Kind = "session"
	Trust        Kind = "trust"
	BucketPolicy Kind = "bucket-policy"
	AccessPoint  Kind = "access-point"
	KeyPolicy    Kind = "key-policy"
	KMSGrant     Kind = "kms-grant" // of a key, as the statement that it amounts to
	ACL          Kind = "acl"       // of a bucket, likewise
	SCP          Kind = "scp"
	RCP          Kind = "rcp"

	// ResourcePolicy hangs on a resource of any other service (a queue, a secret,
	// a function), whose ARN stands in Attached.
	ResourcePolicy Kind = "resource-policy"
	// LambdaPermission is one permission of a function, as the statement that it
	// amounts to.
	LambdaPermission Kind = "lambda-permission"
)

// Source is one document and where it stands.
type Source struct {
	Kind    Kind
	Name    string // of the policy, the bucket, the file
	ARN     string // of the policy, where it has one
	Version string // of a managed policy: "v3"
	SHA256  string // of Raw, in hex
	File    string // the file's path as given, "" for live documents
	Address string // of the attribute of a Terraform plan's resource that holds it as a text
	Raw     []byte // the text as read, to show a line of it
	AsOf    string // the day of data that the program brings along, YYYY-MM-DD; else ""

	// Attached is the ARN of what a resource policy hangs on: the bucket, the
	// access point, the key, the role, any other resource. Of an access point,
	// Bucket is the ARN of the bucket behind it, or "" where it isn't known.
	Attached string
	Bucket   string

	// Level groups SCPs: those of one level unite, levels intersect. All with
	// Level "" are one level.
	Level string

	// First is the place in File where the document starts, where the file
	// holds more than the document (a template, an export). Positions in
	// Document are already positions in File.
	First Position

	Document *Document

	// Surely is what of Document holds whatever a template's open values turn out
	// to be: Document may do more than that, never less. Nil where nothing is open.
	Surely *Surely
}

// Surely is what of a document of which parts are open is certain.
type Surely struct {
	Document *Document
	// Sample are the statements that stand for one value of what is open in their
	// resource, the one that would break no rule; Blocking those that only may be
	// there to forbid. Both by their index in Document.
	Sample, Blocking []int
	// Open tells what is open in the statements of the source's Document, by their
	// index there; -1 is what is left out of it.
	Open map[int]Opening
	// Perhaps names the bucket of a template that it is the policy of, where that only
	// may be the one that it is attached to.
	Perhaps string
}

// Opening is what of a statement only deployment will know.
type Opening struct {
	Names string // of the symbols, as a person would write them
	// Bucket is the bucket of a template that may be the one in question, where it
	// hangs on that.
	Bucket string
}

// Type is the type of a principal, as in the condition key aws:PrincipalType.
type Type string

// The types of principals that can be judged.
const (
	User          Type = "User"
	Role          Type = "AssumedRole" // judged as: any session of that role
	RoleSession   Type = "RoleSession" // one session: arn:P:sts::A:assumed-role/R/S
	FederatedUser Type = "FederatedUser"
	Root          Type = "Account"
)

// Subject is the principal whose reach is asked for.
type Subject struct {
	Type      Type
	ARN       string // arn:P:iam::ACCOUNT:user/PATH/NAME or …:role/PATH/NAME
	Partition string // aws, aws-cn, …
	Account   string // 12 digits, or a symbol of a template
	Path      string // "/" or "/buzon/"
	Name      string
	UniqueID  string // AIDA…, AROA…; "" where it isn't known
	// Tags are the principal's tags. Where TagsKnown is false any tag may exist.
	Tags      map[string]string
	TagsKnown bool
	// Pinned are those tags of a role whose value no session can change, because
	// of what its trust policy lets in; of the others a session may bring its own.
	Pinned map[string]string
}

// Set is everything that was read about one principal: the principal and each
// document that can widen or narrow what it may do. It is what `decide` and
// `reach` answer about. Rights from documents that are not in the set are not
// seen; the caller lists them as assumptions.
type Set struct {
	Subject Subject
	Sources []Source

	// Bucket is the name of the bucket in question and BucketAccount the
	// account that owns it ("" where it isn't known: taken as the principal's).
	Bucket        string
	BucketAccount string

	// Symbols of the template that the documents came from; nil elsewhere.
	Symbols Symbols
}

// Symbols maps a private-use character to the thing of a template that it
// stands for. In texts made from a template (documents, ARNs, names) such a
// character stands where CloudFormation would put a value that synthesis can't
// know. IAM's own texts end at U+00FF, so the two never mix.
type Symbols map[rune]Symbol

// Symbol is a value that only deployment will know.
type Symbol struct {
	Name string // as a person would write it: "${Bucket}", "${AWS::AccountId}"
	// Open is true for parameters and imports, whose value may be any text,
	// wildcards included: everything in an Allow, nothing in a Deny. Otherwise
	// it is a name made by CloudFormation: no wildcard, no separator.
	Open bool
	// Not is a name that it surely hasn't, such as that of the bucket in question;
	// "" where it may have any.
	Not string
}

// FirstSymbol and LastSymbol bound the characters that stand for symbols
// (a private-use area of Unicode).
const (
	FirstSymbol rune = 0xF0000
	LastSymbol  rune = 0xFFFFD
)

// Reference points to a statement of a set: Sources[Source].Document.Statements[Statement].
type Reference struct {
	Source, Statement int
}
