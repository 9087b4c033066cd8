package reach

import (
	"maps"
	"slices"
	"strings"
	"time"

	"buzon/agent/internal/judge/catalogue"
	"buzon/agent/policy"
)

// keyType is what a condition key can hold.
type keyType uint8

const (
	textKey keyType = iota + 1
	boolKey
	numberKey
	dateKey
	addressKey
	listKey    // several texts
	unknownKey // anything, perhaps several
)

// globalKeys are the types of AWS's global condition keys (IAM User Guide, "AWS
// global condition context keys"). Tag keys are families; they are texts.
var globalKeys = map[string]keyType{
	"aws:calledvia":                    listKey,
	"aws:calledviafirst":               textKey,
	"aws:calledvialast":                textKey,
	"aws:currenttime":                  dateKey,
	"aws:epochtime":                    dateKey,
	"aws:federatedprovider":            textKey,
	"aws:multifactorauthage":           numberKey,
	"aws:multifactorauthpresent":       boolKey,
	"aws:principalaccount":             textKey,
	"aws:principalarn":                 textKey,
	"aws:principalisawsservice":        boolKey,
	"aws:principalorgid":               textKey,
	"aws:principalorgpaths":            listKey,
	"aws:principalservicename":         textKey,
	"aws:principalservicenameslist":    listKey,
	"aws:principaltype":                textKey,
	"aws:referer":                      textKey,
	"aws:requestedregion":              textKey,
	"aws:resourceaccount":              textKey,
	"aws:resourceorgid":                textKey,
	"aws:resourceorgpaths":             listKey,
	"aws:securetransport":              boolKey,
	"aws:sourceaccount":                textKey,
	"aws:sourcearn":                    textKey,
	"aws:sourceidentity":               textKey,
	"aws:sourceip":                     addressKey,
	"aws:sourceorgid":                  textKey,
	"aws:sourceorgpaths":               listKey,
	"aws:sourcevpc":                    textKey,
	"aws:sourcevpcarn":                 textKey,
	"aws:sourcevpce":                   textKey,
	"aws:tagkeys":                      listKey,
	"aws:tokenissuetime":               dateKey,
	"aws:useragent":                    textKey,
	"aws:userid":                       textKey,
	"aws:username":                     textKey,
	"aws:viaawsservice":                boolKey,
	"aws:vpceaccount":                  textKey,
	"aws:vpceorgid":                    textKey,
	"aws:vpceorgpaths":                 listKey,
	"aws:vpcsourceip":                  addressKey,
	"aws:principaltag/${}":             textKey,
	"aws:requesttag/${}":               textKey,
	"aws:resourcetag/${}":              textKey,
	"aws:ec2instancesourcevpc":         textKey,
	"aws:ec2instancesourceprivateipv4": addressKey,
	"aws:chatbotsourcearn":             textKey,
	"aws:sourceownerid":                textKey,
	"aws:ismcpserviceaction":           boolKey,
}

// always are the keys that every request has (same page).
var always = map[string]bool{
	"aws:currenttime": true, "aws:epochtime": true, "aws:securetransport": true,
	"aws:viaawsservice": true, "aws:principalisawsservice": true, "aws:principaltype": true,
}

// ofServices are the keys that only requests of AWS's own services hold: what
// such a service does of itself, not what it does with a principal's session
// (docs/decisions/request-keys.md, with the pages).
var ofServices = []string{
	"aws:principalservicename", "aws:principalservicenameslist",
	"aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths",
}

// ofRoles are the keys that only sessions of roles hold, which a user can't get by
// itself: what it gets from GetSessionToken holds none of them (same page).
var ofRoles = []string{
	"aws:federatedprovider", "aws:sourceidentity", "aws:assumedroot", "aws:chatbotsourcearn",
	"aws:ec2instancesourcevpc", "aws:ec2instancesourceprivateipv4",
	"ec2:roledelivery", "ec2:sourceinstancearn", "lambda:sourcefunctionarn", "ssm:sourceinstancearn",
	"glue:roleassumedby", "glue:credentialissuingservice",
}

// present tells whether every request of the subject holds a key: credentials of
// a session have the time at which they were issued, a user's own keys need not
// (same page).
func (e *Engine) present(key string) bool {
	if key == "aws:tokenissuetime" {
		switch e.set.Subject.Type {
		case policy.Role, policy.RoleSession, policy.FederatedUser:
			return true
		case policy.User, policy.Root:
		}
	}
	return always[key]
}

// pointKeys exist only in requests through an access point (S3 User Guide,
// "Configuring IAM policies for using access points", condition keys).
var pointKeys = []string{"s3:dataaccesspointarn", "s3:dataaccesspointaccount", "s3:accesspointnetworkorigin"}

// clock is the one dimension of aws:CurrentTime and aws:EpochTime.
const clock = "aws:currenttime"

// dimensionOf is the key under which another is counted: itself, or the clock.
func dimensionOf(key string) string {
	if key == "aws:epochtime" {
		return clock
	}
	return key
}

func typeOf(key string) keyType {
	if t, ok := globalKeys[catalogue.Family(key)]; ok {
		return t
	}
	kind, ok := catalogue.KeyType(key)
	switch {
	case !ok:
		return unknownKey
	case strings.HasPrefix(kind, "ArrayOf"):
		return listKey
	}
	switch kind {
	case "Bool":
		return boolKey
	case "Numeric":
		return numberKey
	case "Date":
		return dateKey
	case "IPAddress":
		return addressKey
	case "String", "ARN":
		return textKey
	}
	return unknownKey
}

// exclusive lists keys that no request has at once: a request comes from the
// internet with an address, or through a VPC endpoint (same page, aws:SourceIp).
var exclusive = [][2]string{
	{"aws:sourceip", "aws:sourcevpce"}, {"aws:sourceip", "aws:sourcevpc"},
	{"aws:sourceip", "aws:vpcsourceip"}, {"aws:sourceip", "aws:sourcevpcarn"},
}

// keyState is what is known of a key before any document is read.
type keyState struct {
	fixed  bool // values is all there is; none of them: the key is absent
	values []string
}

// fixedKeys are the keys that follow from the principal. The keys that a
// principal of this type never has are there with no values.
func fixedKeys(s *policy.Subject) map[string][]string {
	keys := map[string][]string{
		"aws:principalisawsservice": {"false"},
		"aws:username":              nil,
	}
	for _, key := range ofServices {
		keys[key] = nil
	}
	if s.Type == policy.User || s.Type == policy.Root {
		for _, key := range ofRoles {
			keys[key] = nil
		}
	}
	set := func(key, value string) {
		if value != "" {
			keys[key] = []string{value}
		}
	}
	set("aws:principalaccount", s.Account)
	arn := s.ARN
	switch s.Type {
	case policy.User:
		set("aws:principaltype", "User")
		set("aws:username", s.Name)
		set("aws:userid", s.UniqueID)
	case policy.Role:
		set("aws:principaltype", "AssumedRole")
	case policy.RoleSession:
		set("aws:principaltype", "AssumedRole")
		if role, session, ok := sessionOf(s.ARN); ok {
			path := s.Path
			if path == "" {
				path = "/"
			}
			arn = "arn:" + s.Partition + ":iam::" + s.Account + ":role" + path + role
			if s.UniqueID != "" {
				set("aws:userid", s.UniqueID+":"+session)
			}
		}
	case policy.FederatedUser:
		set("aws:principaltype", "FederatedUser")
		if s.Account != "" {
			set("aws:userid", s.Account+":"+s.Name)
		}
	case policy.Root:
		set("aws:principaltype", "Account")
		set("aws:userid", s.Account)
	}
	set("aws:principalarn", arn)
	return keys
}

// tagOf is the state of a key aws:PrincipalTag/…: fixed where all tags are known
// and no session can bring its own.
func tagOf(s *policy.Subject, key string) keyState {
	name := strings.TrimPrefix(key, "aws:principaltag/")
	for tag, value := range s.Pinned {
		if strings.EqualFold(tag, name) {
			return keyState{fixed: true, values: []string{value}}
		}
	}
	if s.Type != policy.User && s.Type != policy.Root {
		return keyState{}
	}
	for tag, value := range s.Tags {
		if strings.EqualFold(tag, name) {
			return keyState{fixed: true, values: []string{value}}
		}
	}
	return keyState{fixed: s.TagsKnown}
}

// sessionOf takes the ARN of a role's session apart.
func sessionOf(arn string) (role, session string, ok bool) {
	parts := policy.Segments(arn)
	if len(parts) != 6 || parts[2] != "sts" {
		return "", "", false
	}
	rest, ok := strings.CutPrefix(parts[5], "assumed-role/")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

// neverThere tells whether no request for this action holds the key: an s3: key
// that the catalogue lists for other actions alone. Actions that the catalogue
// doesn't know may have any key.
func neverThere(key string, a *catalogue.Action) bool {
	if a == nil || !strings.HasPrefix(key, "s3:") {
		return false
	}
	if _, known := catalogue.KeyType(key); !known {
		return false
	}
	return !a.HasKey(key)
}

// defaultOf is what a request holds under a key that isn't fixed, unless it says
// otherwise: the tags of a role, which its sessions can replace.
func (e *Engine) defaultOf(key string) (string, bool) {
	name, ok := strings.CutPrefix(key, "aws:principaltag/")
	if !ok {
		return "", false
	}
	for tag, value := range e.set.Subject.Tags {
		if strings.EqualFold(tag, name) {
			return value, true
		}
	}
	return "", false
}

// leftOut tells whether the sources of a kind are left out wholly.
func (e *Engine) leftOut(k policy.Kind) bool { return slices.Contains(e.opts.Without.Kinds, k) }

func lower(s string) string { return strings.ToLower(s) }

// variablesOf lists the keys of a statement's policy variables.
func variablesOf(st *policy.Statement) []string {
	var keys []string
	look := func(text string) {
		if !strings.Contains(text, "${") {
			return
		}
		pieces, _ := policy.Pieces(text, true)
		for _, p := range pieces {
			if p.Kind == policy.Variable {
				keys = append(keys, lower(p.Key))
			}
		}
	}
	for _, t := range st.Resources {
		look(t.Value)
	}
	for _, c := range st.Conditions {
		for _, t := range c.Values {
			look(t.Value)
		}
	}
	return keys
}

// normalised is a question's context with both keys of the clock, and a text that
// tells it from others.
func normalised(context map[string][]string) (map[string][]string, string) {
	if len(context) == 0 {
		return nil, ""
	}
	given := make(map[string][]string, len(context)+1)
	for key, values := range context {
		given[lower(key)] = values
	}
	time1, has1 := given[clock]
	time2, has2 := given["aws:epochtime"]
	switch {
	case has1 && !has2:
		given["aws:epochtime"] = epochs(time1)
	case has2 && !has1:
		given[clock] = dates(time2)
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(given)) {
		b.WriteString(key + "\x00" + strings.Join(given[key], "\x01") + "\x02")
	}
	return given, b.String()
}

// distinct leaves out doubts that are there twice.
func distinct(list []Doubt) []Doubt {
	seen := map[Doubt]bool{}
	return slices.DeleteFunc(list, func(d Doubt) bool {
		again := seen[d]
		seen[d] = true
		return again
	})
}

// epochs and dates turn values of one key of the clock into the other's.
func epochs(values []string) []string {
	var out []string
	for _, v := range values {
		if t, ok := policy.ParseDate(v); ok {
			out = append(out, numberText(instantOf(t)))
		}
	}
	return out
}

func dates(values []string) []string {
	var out []string
	for _, v := range values {
		if n, ok := policy.ParseNumber(v); ok {
			out = append(out, timeOf(n).Format(time.RFC3339Nano))
		}
	}
	return out
}

// isOwnerKey tells the keys that hold whose a resource is, or the access point on the way
// to it.
func isOwnerKey(key string) bool {
	return key == "aws:resourceaccount" || key == "s3:resourceaccount" || key == "s3:dataaccesspointaccount"
}
