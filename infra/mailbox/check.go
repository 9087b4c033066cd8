package mailbox

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Limits that AWS sets, as the User Guides say ("Bucket naming rules"; "IAM and
// AWS STS quotas").
const (
	longestName    = 64 // of a user and of a role
	longestPath    = 512
	longestBucket  = 63
	longestSources = 1_000
)

var (
	uploaderName = regexp.MustCompile(`^[A-Za-z0-9_.=@+-]+$`)
	profileName  = regexp.MustCompile(`^[A-Za-z0-9_-]+$`) // IAM Roles Anywhere API Reference, CreateProfile, without spaces
	bucketName   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	bucketPrefix = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,34}[a-z0-9]$`)
	uploadPrefix = regexp.MustCompile(`^([A-Za-z0-9_.=@+-]+/)+$`)
	iamPath      = regexp.MustCompile(`^/([A-Za-z0-9_.=@+-]+/)+$`)
	trustAnchor  = regexp.MustCompile(`^arn:[a-z-]+:rolesanywhere:[a-z0-9-]+:[0-9]{12}:trust-anchor/[A-Za-z0-9-]+$`)
	policyARN    = regexp.MustCompile(`^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/[A-Za-z0-9_+=,.@/-]+$`)
	topicARN     = regexp.MustCompile(`^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$`)
	keyARN       = regexp.MustCompile(`^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$`)
	principalARN = regexp.MustCompile(`^arn:[a-z*-]+:iam::([0-9]{12}|\*):(user|role)/[A-Za-z0-9_+=,.@/*?-]+$`)
	exactARN     = regexp.MustCompile(`^arn:[a-z-]+:iam::[0-9]{12}:(user|role)/[A-Za-z0-9_+=,.@/-]+$`)
)

// Fault is a prop that can't be, alone or beside the others.
type Fault struct {
	Prop string // as cdk.json spells it, such as "bucketName"
	Text string
}

func (f Fault) Error() string { return f.Prop + ": " + f.Text }

// refuse panics with all faults.
func refuse(faults []Fault) {
	var errs []error
	for _, f := range faults {
		errs = append(errs, f)
	}
	if err := errors.Join(errs...); err != nil {
		panic(fmt.Errorf("mailbox: %w", err))
	}
}

// faults collects what is found.
type faults []Fault

func (f *faults) add(prop, format string, args ...any) {
	*f = append(*f, Fault{prop, fmt.Sprintf(format, args...)})
}

// Faults looks at each prop and at what they say together, and gives every fault.
func (p Props) Faults() []Fault {
	p = p.WithDefaults()
	var f faults
	p.checkBucket(&f)
	p.checkPaths(&f)
	p.checkIdentity(&f)
	p.checkStorage(&f)
	p.checkReaders(&f)
	p.checkSources(&f)
	p.checkAlarms(&f)
	for _, arn := range p.Auditors {
		if !exactARN.MatchString(arn) {
			f.add("auditors", "%q is not the ARN of a user or role", arn)
		}
	}
	p.checkLists(&f)
	if len(f) == 0 {
		p.checkARNs(&f)
		p.checkTrust(&f)
		p.checkElsewhere(&f)
		if n := p.guardLength(); n > most {
			f.add("readers", "make the bucket's policy %d characters too long, together with path, uploadPrefix and sources: use patterns", n-most)
		}
	}
	return f
}

func (p *Props) checkBucket(f *faults) {
	name := p.BucketName
	switch {
	case name == "" && p.AccountRegional:
		f.add("bucketNamespace", `"account-regional" needs bucketName, the front of the name`)
	case name == "":
	case p.AccountRegional:
		// The name will be NAME-ACCOUNT-REGION-an.
		if !bucketPrefix.MatchString(name) {
			f.add("bucketName", "%q must be 2 to 36 of a-z, 0-9 and - where the account and Region are added to it", name)
		}
	case !bucketName.MatchString(name) || len(name) > longestBucket:
		f.add("bucketName", "%q must be 3 to 63 of a-z, 0-9 and -, a letter or digit at both ends", name)
	case strings.Contains(name, "."):
		f.add("bucketName", "%q holds a dot: TLS certificates of S3 don't match such names", name)
	case net.ParseIP(name) != nil || strings.HasPrefix(name, "xn--") || strings.HasPrefix(name, "sthree-") ||
		strings.HasPrefix(name, "amzn-s3-demo-") || strings.HasSuffix(name, "-s3alias") || strings.HasSuffix(name, "--ol-s3") ||
		strings.HasSuffix(name, "--x-s3") || strings.HasSuffix(name, "--table-s3") || strings.HasSuffix(name, "-an"):
		f.add("bucketName", "%q is a form that S3 keeps for itself", name)
	}
}

func (p *Props) checkPaths(f *faults) {
	if !uploadPrefix.MatchString(p.UploadPrefix) {
		f.add("uploadPrefix", `%q must be ASCII letters, digits and _.=@+- in segments that each end with "/", such as "uploads/"`, p.UploadPrefix)
	}
	switch {
	case !iamPath.MatchString(p.Path):
		f.add("path", `%q must be an IAM path with a slash at both ends, such as "/buzon/"; "/" would make every user of the account an uploader`, p.Path)
	case strings.HasPrefix(auditorPath, p.Path), strings.HasPrefix(readerPath, p.Path):
		f.add("path", "%q would make the roles under %s and %s uploaders", p.Path, auditorPath, readerPath)
	case strings.HasPrefix(p.Path, "/aws-service-role/"), strings.HasPrefix(p.Path, "/aws-reserved/"):
		f.add("path", "%q is a form that IAM keeps for itself", p.Path)
	}
	for _, one := range []struct{ prop, text string }{{"path", p.Path}, {"uploadPrefix", p.UploadPrefix}} {
		if slices.ContainsFunc(strings.Split(one.text, "/"), func(part string) bool { return part == "." || part == ".." }) {
			f.add(one.prop, `%q holds a segment that is "." or ".."`, one.text)
		}
		if len(one.text) > longestPath {
			f.add(one.prop, "is longer than %d characters", longestPath)
		}
	}
}

func (p *Props) checkIdentity(f *faults) {
	if p.PermissionsBoundary != "" && !policyARN.MatchString(p.PermissionsBoundary) {
		f.add("permissionsBoundary", "%q must be the ARN of a managed policy", p.PermissionsBoundary)
	}
	known := oneOf(f, "identity", p.Identity, IdentityUser, IdentityRole, IdentityRolesAnywhere)
	if oneOf(f, "attach", p.Attach, AttachUser, AttachGroup); !known {
		return
	}
	if p.Attach == AttachGroup && p.Identity != IdentityUser {
		f.add("attach", `"group" needs identity "user": roles are in no group`)
	}
	switch {
	case p.Identity == IdentityRolesAnywhere && p.TrustAnchor == "":
		f.add("trustAnchor", `is needed with identity "roles-anywhere"`)
	case p.Identity != IdentityRolesAnywhere && p.TrustAnchor != "":
		f.add("trustAnchor", `has a meaning only with identity "roles-anywhere"`)
	case p.TrustAnchor != "" && !trustAnchor.MatchString(p.TrustAnchor):
		f.add("trustAnchor", "%q must be the ARN of an IAM Roles Anywhere trust anchor", p.TrustAnchor)
	}
}

// longestDays is the most that Object Lock and lifecycle rules take, 100 years.
const longestDays = 36_500

func (p *Props) checkStorage(f *faults) {
	oneOf(f, "encryption", p.Encryption, EncryptionS3, EncryptionKMS)
	lock := oneOf(f, "objectLock", p.ObjectLock, LockNone, LockGovernance, LockCompliance)
	for _, days := range []struct {
		prop string
		n    int
	}{{"objectLockDays", p.ObjectLockDays}, {"expireDays", p.ExpireDays}, {"noncurrentDays", p.NoncurrentDays}, {"trailDays", p.TrailDays}} {
		if days.n < 0 || days.n > longestDays {
			f.add(days.prop, "must be from 0 to %d, not %d", longestDays, days.n)
		}
	}
	if lock && (p.ObjectLock == LockNone) != (p.ObjectLockDays == 0) {
		f.add("objectLockDays", `goes with objectLock "governance" or "compliance", and these need it`)
	}
	if p.AbortDays < 1 || p.AbortDays > longestDays {
		f.add("abortDays", "must be from 1 to %d, not %d", longestDays, p.AbortDays)
	}
	p.checkClasses(f)
	p.checkTransitions(f)
	switch {
	case p.KMSKeyARN != "" && p.Encryption != EncryptionKMS:
		f.add("kmsKeyArn", `goes with encryption "kms"`)
	case p.KMSKeyARN != "" && !keyARN.MatchString(p.KMSKeyARN):
		f.add("kmsKeyArn", "%q must be the ARN of a key (…:key/…), not of an alias: the guard compares it", p.KMSKeyARN)
	}
	if p.TrailDays > 0 && !p.CloudTrail {
		f.add("trailDays", "has a meaning only with cloudTrail")
	}
	if p.ObjectLock != LockNone && !*p.Versioning {
		f.add("versioning", "must be true with objectLock: S3 locks versions")
	}
	if p.NoncurrentDays > 0 && !*p.Versioning {
		f.add("noncurrentDays", "has no effect without versioning")
	}
	if p.ObjectLock != LockNone && p.ExpireDays > 0 && p.ExpireDays < p.ObjectLockDays {
		f.add("expireDays", "is shorter than objectLockDays: the versions would stay locked after they expired")
	}
	if !*p.Retain && p.ObjectLock == LockCompliance {
		f.add("removalPolicy", `"destroy" can't work with objectLock "compliance"`)
	}
}

// classes are the storage classes of a general purpose bucket (S3 API Reference,
// PutObject).
var classes = append(DefaultStorageClasses(), "GLACIER", "DEEP_ARCHIVE")

func (p *Props) checkClasses(f *faults) {
	for _, class := range p.StorageClasses {
		if !slices.Contains(classes, class) {
			f.add("storageClasses", "%q must be one of %s", class, strings.Join(classes, ", "))
		}
	}
	if !slices.Contains(p.StorageClasses, "STANDARD") {
		f.add("storageClasses", "must hold STANDARD, which an object gets whose request names no class")
	}
}

// colder are the classes in the order in which objects may move (S3 User Guide,
// "Transitioning objects using Amazon S3 Lifecycle"), and the least age for each.
var colder = []struct {
	class string
	least int
}{{"STANDARD_IA", 30}, {"INTELLIGENT_TIERING", 0}, {"ONEZONE_IA", 30}, {"GLACIER_IR", 0}, {"GLACIER", 0}, {"DEEP_ARCHIVE", 0}}

func (p *Props) checkTransitions(f *faults) {
	before, at := Transition{Days: -1}, -1
	for _, move := range p.Transitions {
		i := slices.IndexFunc(colder, func(c struct {
			class string
			least int
		}) bool {
			return c.class == move.Class
		})
		switch {
		case i < 0:
			f.add("transitions", "%q must be one of STANDARD_IA, INTELLIGENT_TIERING, ONEZONE_IA, GLACIER_IR, GLACIER, DEEP_ARCHIVE", move.Class)
			return
		case move.Days < colder[i].least || move.Days > longestDays:
			f.add("transitions", "to %s must come after %d to %d days, not %d", move.Class, colder[i].least, longestDays, move.Days)
		case i <= at || move.Days <= before.Days:
			f.add("transitions", "must go to colder classes as the days go on: %s after %d days can't follow %s after %d", move.Class, move.Days, before.Class, before.Days)
		case at >= 0 && colder[at].least > 0 && move.Days < before.Days+30:
			f.add("transitions", "to %s comes less than 30 days after %s, where objects must stay so long", move.Class, before.Class)
		}
		before, at = move, i
	}
	if p.ExpireDays > 0 && before.Days >= p.ExpireDays {
		f.add("transitions", "to %s comes after %d days, when objects expire after %d", before.Class, before.Days, p.ExpireDays)
	}
}

var vpcEndpoint = regexp.MustCompile(`^vpce-[0-9a-f]{8,17}$`)

func (p *Props) checkSources(f *faults) {
	for _, text := range p.SourceIPs {
		block, err := netip.ParsePrefix(text)
		if addr, single := netip.ParseAddr(text); single == nil && addr.Zone() == "" {
			block, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		switch {
		case err != nil:
			f.add("sourceIps", `%q must be an address, or a block such as "203.0.113.0/24"`, text)
		case block != block.Masked():
			f.add("sourceIps", "%q has bits beyond its mask: %s is meant?", text, block.Masked())
		case block.Bits() == 0:
			f.add("sourceIps", "%q is every address: leave it out", text)
		case block.Addr().Is4In6() || unseen(block.Addr()):
			f.add("sourceIps", "%q is an address that S3 never sees as a sender's: name the public one, or the VPC endpoint in sourceVpces", text)
		}
	}
	for _, text := range p.SourceVPCEs {
		if !vpcEndpoint.MatchString(text) {
			f.add("sourceVpces", `%q must be the id of a VPC endpoint, such as "vpce-0123456789abcdef0"`, text)
		}
	}
	for prop, list := range map[string][]string{"sourceIps": p.SourceIPs, "sourceVpces": p.SourceVPCEs} {
		if len(strings.Join(list, "")) > longestSources {
			f.add(prop, "are longer than %d characters together: use larger blocks", longestSources)
		}
	}
}

// unseen are the addresses that no request over the internet comes from.
func unseen(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() ||
		netip.MustParsePrefix("100.64.0.0/10").Contains(a) || netip.MustParsePrefix("240.0.0.0/4").Contains(a)
}

// NameFaults looks at the names of uploaders, together.
func (p Props) NameFaults(names []string) []Fault {
	var f faults
	seen := map[string]string{}
	for _, name := range names {
		switch before, twice := seen[strings.ToLower(name)]; {
		case !uploaderName.MatchString(name):
			f.add("uploaders", "%q must be letters, digits and _.=@+-: it becomes a name in IAM and a part of every key", name)
		case p.Identity == IdentityRolesAnywhere && !profileName.MatchString(name):
			f.add("uploaders", "%q must be letters, digits, - and _ with identity %q: it becomes the name of a profile", name, p.Identity)
		case name == "." || name == "..":
			f.add("uploaders", "%q can't be a part of a key", name)
		case len(name) > longestName:
			f.add("uploaders", "%q is longer than %d characters", name, longestName)
		case twice && before == name:
			f.add("uploaders", "%q is there twice", name)
		case twice:
			f.add("uploaders", "%q and %q differ only in case, which IAM doesn't tell apart", before, name)
		}
		seen[strings.ToLower(name)] = name
	}
	return f
}

func oneOf[T ~string](f *faults, prop string, value T, allowed ...T) bool {
	if slices.Contains(allowed, value) {
		return true
	}
	var names []string
	for _, a := range allowed {
		names = append(names, string(a))
	}
	f.add(prop, "%q must be one of %s", value, strings.Join(names, ", "))
	return false
}
