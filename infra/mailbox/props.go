package mailbox

import "github.com/aws/jsii-runtime-go"

// Identity is what each uploader is in IAM.
type Identity string

// The kinds of identities.
const (
	IdentityUser          Identity = "user"           // an IAM user with an access key
	IdentityRole          Identity = "role"           // a role for an EC2 instance, with its instance profile
	IdentityRolesAnywhere Identity = "roles-anywhere" // a role for a machine with a certificate
)

// Attach says where the uploaders' policy hangs.
type Attach string

// The places of the uploaders' policy.
const (
	AttachUser  Attach = "user"  // on each user
	AttachGroup Attach = "group" // once, on one group of all users
)

// Encryption is how the bucket encrypts what it stores.
type Encryption string

// The kinds of encryption at rest.
const (
	EncryptionS3  Encryption = "s3"  // keys that S3 keeps
	EncryptionKMS Encryption = "kms" // a key of the mailbox's own
)

// LockMode is the mode of the bucket's default retention.
type LockMode string

// The modes of Object Lock; LockNone leaves it off.
const (
	LockNone       LockMode = "none"
	LockGovernance LockMode = "governance"
	LockCompliance LockMode = "compliance"
)

// Props is everything that can be chosen about a mailbox. What is left out gets
// the default that is said beside it.
type Props struct {
	BucketName      string // "" lets CloudFormation make one
	AccountRegional bool   // BucketName is the front of a name that only this account can hold
	UploadPrefix    string // ends in "/"; default "uploads/"
	Path            string // the IAM path of uploaders, "/…/"; default "/buzon/"
	Identity        Identity
	TrustAnchor     string // roles-anywhere: ARN of a trust anchor
	Attach          Attach
	// ARN of the boundary that an organisation asks for: IAM holds one, so that the
	// mailbox's own limits go into the uploaders' policies. "" makes the mailbox's.
	PermissionsBoundary string
	Encryption          Encryption
	KMSKeyARN           string // EncryptionKMS: a key that exists; "" makes one
	Versioning          *bool  // default true
	AppendOnly          *bool  // nobody replaces an object under UploadPrefix; default true
	ObjectLock          LockMode
	ObjectLockDays      int
	ExpireDays          int          // of current versions; 0 keeps them
	NoncurrentDays      int          // of noncurrent versions; 0 keeps them
	Transitions         []Transition // of current versions to colder classes, in their order
	AbortDays           int          // after which the parts of an incomplete upload vanish; default 7
	CloudTrail          bool
	TrailDays           int     // after which the trail's log files expire; 0 keeps them
	Alarms              *Alarms // with CloudTrail; nil: none
	EventBridge         bool
	Readers             []string // ARNs or patterns of the only principals that may read or delete; none: the account decides
	GrantReaders        bool     // gives Readers what they need to read, too
	ReaderRole          []string // ARNs that may assume a role that reads; none: no role
	Deployers           []string // with Readers: who may configure the bucket; default the CDK's role of CloudFormation
	SourceIPs           []string // addresses and CIDR blocks that uploaders may call from; none: anywhere
	SourceVPCEs         []string // VPC endpoints that they may call through, beside SourceIPs
	StorageClasses      []string // that uploaders may ask for; default DefaultStorageClasses
	GuardRevision       int      // a number in the guard: another one makes CloudFormation write it again
	FederatedUsers      bool     // lets sessions of GetFederationToken reach the bucket
	Auditors            []string // ARNs that may assume the auditor's role; none: no role
	AuditAccount        bool     // the auditor may read the policy of every bucket of the account
	Retain              *bool    // bucket, guard and key outlive the stack; default true
}

// Transition moves objects to another storage class when they are so many days old.
type Transition struct {
	Days  int
	Class string
}

// DefaultStorageClasses are those from which an object can be read at once. From
// the others it must be restored first, and is paid for during months or a year.
func DefaultStorageClasses() []string {
	return []string{"STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "REDUCED_REDUNDANCY"}
}

// WithDefaults gives the props with everything that was left out filled in.
func (p Props) WithDefaults() Props {
	fill(&p.UploadPrefix, "uploads/")
	fill(&p.Path, "/buzon/")
	fill(&p.Identity, IdentityUser)
	fill(&p.Attach, AttachUser)
	fill(&p.Encryption, EncryptionS3)
	fill(&p.ObjectLock, LockNone)
	if p.AbortDays == 0 {
		p.AbortDays = 7
	}
	if p.StorageClasses == nil {
		p.StorageClasses = DefaultStorageClasses()
	}
	for _, b := range []**bool{&p.Versioning, &p.AppendOnly, &p.Retain} {
		if *b == nil {
			*b = jsii.Bool(true)
		}
	}
	return p
}

func fill[T ~string](to *T, with T) {
	if *to == "" {
		*to = with
	}
}
