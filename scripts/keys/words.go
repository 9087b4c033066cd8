package main

import (
	"fmt"
	"slices"
	"strings"
)

// languages are those of the sentences, in their order there.
var languages = []string{"en", "es"}

// speak chooses the language as the agent does: --lang, else LC_ALL, LC_MESSAGES
// and LANG, the first of them that is set. The flag is looked for before the
// others are read, for their help is in that language too.
func speak(args []string, getenv func(string) string) int {
	wanted := []string{getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG")}
	for i, arg := range args {
		name, value, given := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if name != "-lang" && name != "lang" || !strings.HasPrefix(arg, "-") {
			continue
		}
		if !given && i+1 < len(args) {
			value = args[i+1]
		}
		wanted = append([]string{value}, wanted...)
	}
	for _, w := range wanted {
		if w != "" {
			return max(0, slices.IndexFunc(languages, func(l string) bool { return strings.HasPrefix(strings.ToLower(w), l) }))
		}
	}
	return 0
}

// text is the sentence of that id in the reader's language.
func (k *keys) text(id string, args ...any) string {
	return fmt.Sprintf(sentences[id][k.lang], args...)
}

// say tells people something.
func (k *keys) say(id string, args ...any) { fmt.Fprintln(k.log, k.text(id, args...)) }

// fault is an error in the reader's language; it wraps the error for which its
// sentence has a %w.
func (k *keys) fault(id string, args ...any) error {
	for i, arg := range args {
		if err, ok := arg.(error); ok {
			args[i] = plain(err)
		}
	}
	return fmt.Errorf(sentences[id][k.lang], args...)
}

// misuse is a fault of how the program was called.
func (k *keys) misuse(id string, args ...any) error { return usageError{k.text(id, args...)} }

// sentences are everything that the program says, in English and in Spanish.
var sentences = map[string][2]string{
	"usage":   {"usage: keys issue-key|rotate-key|revoke-key|agent-config …", "uso: keys issue-key|rotate-key|revoke-key|agent-config …"},
	"options": {"\nOptions:", "\nOpciones:"},
	"usage-issue-key": {
		"Usage: scripts/issue-key NAME [-o FILE|-]\n\nMakes an access key for the uploader NAME and writes it into one credentials file, or into a pipe:\n  scripts/issue-key vm-01\n  scripts/issue-key vm-01 -o - | ssh vm-01 'sudo install -m600 -o buzon /dev/stdin /etc/buzon/credentials'",
		"Uso: scripts/issue-key NOMBRE [-o ARCHIVO|-]\n\nCrea una clave de acceso para el remitente NOMBRE y la escribe en un archivo de credenciales, o en una tubería:\n  scripts/issue-key vm-01\n  scripts/issue-key vm-01 -o - | ssh vm-01 'sudo install -m600 -o buzon /dev/stdin /etc/buzon/credentials'",
	},
	"usage-rotate-key": {
		"Usage: scripts/rotate-key NAME [-o FILE|-] [--timeout TIME | --confirmed | --restart | --delete-old]\n\nReplaces the access key of the uploader NAME, step by step: makes a second key, waits until the VM uses it, deactivates the first. It may be interrupted and run again:\n  scripts/rotate-key vm-01\n  scripts/rotate-key vm-01 --delete-old",
		"Uso: scripts/rotate-key NOMBRE [-o ARCHIVO|-] [--timeout TIEMPO | --confirmed | --restart | --delete-old]\n\nReemplaza paso a paso la clave de acceso del remitente NOMBRE: crea una segunda clave, espera a que la VM la use y desactiva la primera. Se puede interrumpir y ejecutar otra vez:\n  scripts/rotate-key vm-01\n  scripts/rotate-key vm-01 --delete-old",
	},
	"usage-revoke-key": {
		"Usage: scripts/revoke-key NAME [KEY] | --all\n\nDeletes one access key of the uploader NAME, all its keys, or those of every uploader:\n  scripts/revoke-key vm-01\n  scripts/revoke-key --all --dry-run",
		"Uso: scripts/revoke-key NOMBRE [CLAVE] | --all\n\nElimina una clave de acceso del remitente NOMBRE, todas sus claves, o las de todos los remitentes:\n  scripts/revoke-key vm-01\n  scripts/revoke-key --all --dry-run",
	},
	"usage-agent-config": {
		"Usage: scripts/agent-config NAME | --all FOLDER\n\nPrints the agent's configuration for the uploader NAME, made from the stack's outputs, or writes one for each uploader:\n  scripts/agent-config vm-01 > agent.yaml\n  scripts/agent-config --all configs",
		"Uso: scripts/agent-config NOMBRE | --all CARPETA\n\nMuestra la configuración del agente para el remitente NOMBRE, hecha a partir de las salidas de la pila, o escribe una para cada remitente:\n  scripts/agent-config vm-01 > agent.yaml\n  scripts/agent-config --all configs",
	},
	"usage-before-deploy": {
		"Usage: keys before-deploy FOLDER\n\nCalled by scripts/cdk deploy: compares the templates in FOLDER with what is deployed.",
		"Uso: keys before-deploy CARPETA\n\nLo llama scripts/cdk deploy: compara las plantillas de CARPETA con lo desplegado.",
	},
	"usage-before-destroy": {
		"Usage: keys before-destroy FOLDER NOTE\n\nCalled by scripts/cdk destroy: lifts the protection of stacks whose first deploy failed.",
		"Uso: keys before-destroy CARPETA NOTA\n\nLo llama scripts/cdk destroy: quita la protección de las pilas cuyo primer despliegue falló.",
	},
	"usage-after-destroy": {
		"Usage: keys after-destroy NOTE\n\nCalled by scripts/cdk destroy: names what outlived the stacks.",
		"Uso: keys after-destroy NOTA\n\nLo llama scripts/cdk destroy: nombra lo que queda después de las pilas.",
	},
	"no-flag":          {"there is no option --%s", "no existe la opción --%s"},
	"flag-needs":       {"the option --%s needs a value", "la opción --%s necesita un valor"},
	"default":          {"(default %s)", "(por defecto, %s)"},
	"bad-flag":         {"scripts/%s: %s.\nSee its options:  scripts/%[1]s --help", "scripts/%s: %s.\nPara ver sus opciones:  scripts/%[1]s --help"},
	"bad-lang":         {"--lang takes en or es, not %q", "--lang admite en o es, no %q"},
	"no-command":       {"keys: there is no command %q", "keys: no hay ninguna orden %q"},
	"one-too-many":     {"scripts/%s: %q is one argument too many", "scripts/%s: %q es un argumento de más"},
	"flag-lang":        {"`language`: en or es", "`idioma`: en o es"},
	"flag-path":        {"IAM `path` of the uploaders", "`ruta` de IAM de los remitentes"},
	"flag-dry-run":     {"say what would be done, and do nothing", "decir qué se haría, sin hacer nada"},
	"flag-o":           {"credentials `file` to make, or - for a pipe (default NAME.credentials)", "`archivo` de credenciales que crear, o - para una tubería (por defecto, NOMBRE.credentials)"},
	"flag-timeout":     {"how much `time` to wait for the new key's first use; 0 only looks", "`tiempo` de espera del primer uso de la clave nueva; con 0 solo se mira"},
	"flag-confirmed":   {"the new key is in use on the VM: don't wait to see it", "la clave nueva ya se usa en la VM: no esperar a verlo"},
	"flag-delete-old":  {"delete the old key, once it is inactive", "eliminar la clave antigua, una vez inactiva"},
	"flag-restart":     {"the new key's file was lost: delete that key and make another", "se perdió el archivo de la clave nueva: eliminar esa clave y crear otra"},
	"flag-all-keys":    {"of every uploader under the path", "de todos los remitentes bajo la ruta"},
	"flag-stack":       {"`name` of the stack", "`nombre` de la pila"},
	"flag-all-configs": {"write a file for every uploader into this `folder`", "escribir un archivo por remitente en esta `carpeta`"},
	"aws-settings":     {"read the AWS settings: %w", "leer los ajustes de AWS: %w"},

	"two-keys": {
		"%s has %d access keys (%s), and IAM allows no third.\nDelete one that is not in use:  scripts/revoke-key %[1]s KEY, or finish its rotation:  scripts/rotate-key %[1]s",
		"%s tiene %d claves de acceso (%s), e IAM no permite una tercera.\nElimine una que no esté en uso:  scripts/revoke-key %[1]s CLAVE, o termine su rotación:  scripts/rotate-key %[1]s",
	},
	"has-key": {
		"%s has a key already (%s). To replace it, scripts/rotate-key %[1]s also retires the old one.",
		"%s ya tiene una clave (%s). Para reemplazarla, scripts/rotate-key %[1]s retira además la antigua.",
	},
	"no-name": {"the uploader's name is missing, as in:  scripts/%s vm-01", "falta el nombre del remitente, como en:  scripts/%s vm-01"},
	"no-user": {
		"there is no IAM user %q.\nUploaders are made by the stack: add the name to \"uploaders\" in cdk.json, then  scripts/cdk deploy",
		"no hay ningún usuario de IAM %q.\nLos remitentes los crea la pila: añada el nombre a \"uploaders\" en cdk.json y después  scripts/cdk deploy",
	},
	"look-up": {"look up %s: %w", "buscar %s: %w"},
	"no-uploader": {
		"%s is no uploader: its IAM path is %s, not %s.\nIf the stack has another path, give it with --path",
		"%s no es un remitente: su ruta de IAM es %s, no %s.\nSi la pila tiene otra ruta, indíquela con --path",
	},
	"list-keys":  {"list the keys of %s: %w", "enumerar las claves de %s: %w"},
	"would-make": {"Would make an access key for %s and write it to %s.", "Se crearía una clave de acceso para %s y se escribiría en %s."},
	"make-key":   {"make a key for %s: %w", "crear una clave para %s: %w"},
	"make-no-answer": {
		"make a key for %s: %w.\nNo answer came, so there may be a key whose secret nobody has. See which keys there are:  scripts/revoke-key %[1]s --dry-run",
		"crear una clave para %s: %w.\nNo llegó respuesta, así que puede haber una clave cuyo secreto no tiene nadie. Para ver qué claves hay:  scripts/revoke-key %[1]s --dry-run",
	},
	"write-undone": {"write %s: %w; the key was deleted again", "escribir %s: %w; la clave se eliminó de nuevo"},
	"write":        {"write %s: %w", "escribir %s: %w"},
	"not-undone": {
		"and the key %s could not be deleted: %w.\nDelete it:  scripts/revoke-key %s %[1]s",
		"y la clave %s no se pudo eliminar: %w.\nElimínela:  scripts/revoke-key %s %[1]s",
	},
	"no-answer":  {"the key %s is written, but STS does not know it yet: %w", "la clave %s está escrita, pero STS aún no la conoce: %w"},
	"made-piped": {"%s has the new key %s, and it answers.", "%s tiene la clave nueva %s, y responde."},
	"made": {
		"%s has the new key %s, and it answers. It is in %s (readable by you alone): move it to the VM, then delete it here.",
		"%s tiene la clave nueva %s, y responde. Está en %s (solo usted puede leerlo): llévela a la VM y bórrela después aquí.",
	},
	"file-exists": {
		"%s exists already, and a key is never written over something.\nName another file with -o",
		"%s ya existe, y una clave nunca se escribe sobre otra cosa.\nNombre otro archivo con -o",
	},
	"make-file": {"the credentials file %s can't be made: %w", "no se puede crear el archivo de credenciales %s: %w"},
	"in-git": {
		"%s would lie in a git work tree that doesn't ignore it: the next commit could hold the secret.\nName a file elsewhere with -o, or write to a pipe with -o -",
		"%s quedaría en un árbol de trabajo de git que no lo ignora: la próxima confirmación podría contener el secreto.\nIndique un archivo en otro lugar con -o, o escriba en una tubería con -o -",
	},
	"need-pipe": {"-o - needs a pipe", "-o - necesita una tubería"},
	"no-terminal": {
		"-o - writes the secret to a pipe, not to a terminal, as in:\n  scripts/issue-key vm-01 -o - | ssh vm-01 'sudo install -m600 -o buzon /dev/stdin /etc/buzon/credentials'",
		"-o - escribe el secreto en una tubería, no en un terminal, como en:\n  scripts/issue-key vm-01 -o - | ssh vm-01 'sudo install -m600 -o buzon /dev/stdin /etc/buzon/credentials'",
	},
	"credentials": {"The access key of the uploader %s. For its VM only, mode 0600.", "La clave de acceso del remitente %s. Solo para su VM, modo 0600."},

	"nothing-to-rotate": {"%s has no key to rotate.\nMake its first one:  scripts/issue-key %[1]s", "%s no tiene ninguna clave que rotar.\nCree la primera:  scripts/issue-key %[1]s"},
	"only-one-works": {
		"the older key of %s is inactive, so %s is the only one that works: not deleted",
		"la clave más antigua de %s está inactiva, así que %s es la única que funciona: no se elimina",
	},
	"no-restart":   {"%s has one key: nothing to start again from.", "%s tiene una sola clave: no hay nada que recomenzar."},
	"nothing-left": {"%s has one key (%s): nothing is left to delete.", "%s tiene una sola clave (%s): no queda nada que eliminar."},
	"only-inactive": {
		"the only key of %s is inactive (%s): this is no rotation.\nDelete it:  scripts/revoke-key %[1]s  and make another:  scripts/issue-key %[1]s",
		"la única clave de %s está inactiva (%s): esto no es una rotación.\nElimínela:  scripts/revoke-key %[1]s  y cree otra:  scripts/issue-key %[1]s",
	},
	"keys-changed": {
		"the keys of %s changed meanwhile (%s).\nLook again:  scripts/rotate-key %[1]s",
		"las claves de %s cambiaron entretanto (%s).\nMire otra vez:  scripts/rotate-key %[1]s",
	},
	"newer-inactive": {
		"the newer key of %s is inactive (%s): this is no rotation under way.\nDelete the one that is not wanted:  scripts/revoke-key %[1]s KEY",
		"la clave más reciente de %s está inactiva (%s): no hay ninguna rotación en curso.\nElimine la que no se quiera:  scripts/revoke-key %[1]s CLAVE",
	},
	"old-inactive": {
		"The old key %s is inactive. Should the VM miss it, it can be switched on again in IAM.\nWhen all has gone well for a while:  scripts/rotate-key %s --delete-old",
		"La clave antigua %s está inactiva. Si la VM la echa en falta, se puede activar otra vez en IAM.\nCuando todo haya ido bien un tiempo:  scripts/rotate-key %s --delete-old",
	},
	"waiting": {
		"Waiting until the VM uses %s, for at most %s. Install it there; this may be interrupted, and run again.",
		"Esperando a que la VM use %s, como máximo %s. Instálela allí; esto se puede interrumpir y ejecutar otra vez.",
	},
	"still-waiting": {"Still waiting until the VM uses %s: %s of %s.", "Aún se espera a que la VM use %s: %s de %s."},
	"interrupted": {
		"interrupted; the old key still works. To go on:  scripts/rotate-key %s",
		"interrumpido; la clave antigua sigue funcionando. Para continuar:  scripts/rotate-key %s",
	},
	"wait": {"wait for the first use of %s: %w", "esperar el primer uso de %s: %w"},
	"not-used": {
		"the new key %s has not been used yet, so the old one stays.\nGo on when it is installed:  scripts/rotate-key %s\nIf you know that it is in use:  scripts/rotate-key %[2]s --confirmed\nIf its file was lost:  scripts/rotate-key %[2]s --restart",
		"la clave nueva %s aún no se ha usado, así que la antigua se queda.\nSiga cuando esté instalada:  scripts/rotate-key %s\nSi sabe que ya se usa:  scripts/rotate-key %[2]s --confirmed\nSi se perdió su archivo:  scripts/rotate-key %[2]s --restart",
	},
	"would-deactivate": {"Would deactivate %s of %s.", "Se desactivaría %s de %s."},
	"deactivate":       {"deactivate %s of %s: %w", "desactivar %s de %s: %w"},
	"would-delete":     {"Would delete %s of %s.", "Se eliminaría %s de %s."},
	"delete":           {"delete %s of %s: %w", "eliminar %s de %s: %w"},
	"deleted":          {"Deleted %s of %s.", "Eliminada %s de %s."},

	"sessions-end": {
		"Sessions that were made from them before (GetSessionToken) can't use the bucket any more either: the guard refuses them.",
		"Tampoco pueden usar ya el bucket las sesiones que se crearon antes con ellas (GetSessionToken): la guardia las rechaza.",
	},
	"sessions-live": {
		"Sessions that somebody made from them before (GetSessionToken) may go on writing for up to 36 hours: the deployed guard doesn't refuse them yet.\nDeploy the guard that does:  scripts/cdk deploy",
		"Las sesiones que alguien creó antes con ellas (GetSessionToken) pueden seguir escribiendo hasta 36 horas: la guardia desplegada aún no las rechaza.\nDespliegue la que sí:  scripts/cdk deploy",
	},
	"sessions-no-stack": {
		"There is no stack %s, so whether a guard refuses sessions made from them before (GetSessionToken, up to 36 hours) is not known.\nIf the stack has another name, give it with --stack",
		"No hay ninguna pila %s, así que no se sabe si una guardia rechaza las sesiones creadas antes con ellas (GetSessionToken, hasta 36 horas).\nSi la pila tiene otro nombre, indíquelo con --stack",
	},
	"sessions-unread": {
		"Whether the guard of the stack %s refuses sessions made from them before (GetSessionToken, up to 36 hours) could not be read: %v.\nTo see:  agent audit-policy --user NAME  (the rule outlives-key)",
		"No se pudo leer si la guardia de la pila %s rechaza las sesiones creadas antes con ellas (GetSessionToken, hasta 36 horas): %v.\nPara verlo:  agent audit-policy --user NOMBRE  (la regla outlives-key)",
	},

	"name-or-all":  {"either a name or --all, not both", "o un nombre o --all, no los dos"},
	"revoke-whose": {"which uploader's?  scripts/revoke-key NAME, or  scripts/revoke-key --all", "¿de qué remitente?  scripts/revoke-key NOMBRE, o bien  scripts/revoke-key --all"},
	"nobody":       {"There is no uploader under %s.", "No hay ningún remitente bajo %s."},
	"no-keys":      {"%s has no keys.", "%s no tiene claves."},
	"no-such-key":  {"%s has no key %s", "%s no tiene ninguna clave %s"},
	"list-users":   {"list the users under %s: %w", "enumerar los usuarios bajo %s: %w"},
	"list-roles":   {"list the roles under %s: %w", "enumerar los roles bajo %s: %w"},
	"config-whose": {"whose?  scripts/agent-config NAME > agent.yaml, or  scripts/agent-config --all DIR", "¿de quién?  scripts/agent-config NOMBRE > agent.yaml, o bien  scripts/agent-config --all CARPETA"},
	"make-folder":  {"make the folder: %w", "crear la carpeta: %w"},
	"config-differs": {
		"%s is there and says something else: kept.\nMove it away to have it made again",
		"%s ya está y dice otra cosa: se conserva.\nApártelo para que se cree otra vez",
	},
	"would-write":  {"Would write %s.", "Se escribiría %s."},
	"write-config": {"write the configuration of %s: %w", "escribir la configuración de %s: %w"},
	"wrote":        {"Uploaders: %d; configurations written: %d, in %s.", "Remitentes: %d; configuraciones escritas: %d, en %s."},
	"read-outputs": {"the outputs of the stack %s can't be read: %w", "no se pueden leer las salidas de la pila %s: %w"},
	"no-stack": {
		"there is no stack %s in the Region %s.\nDeploy it first:  scripts/cdk deploy  (another name: --stack; another Region: AWS_REGION)",
		"no hay ninguna pila %s en la región %s.\nDespliéguela primero:  scripts/cdk deploy  (otro nombre: --stack; otra región: AWS_REGION)",
	},
	"no-output": {"the stack %s has no output %s: is it Buzón's?", "la pila %s no tiene la salida %s: ¿es la de Buzón?"},
	"no-principal": {
		"there is no uploader %q under %s.\nAdd the name to \"uploaders\" in cdk.json, then  scripts/cdk deploy",
		"no hay ningún remitente %q bajo %s.\nAñada el nombre a \"uploaders\" en cdk.json y después  scripts/cdk deploy",
	},
	"anywhere-about": {
		"What follows belongs in /etc/buzon/credentials, without the #. It holds no secret:\nthe certificate's key was made on this machine, and stays there (docs/en/keyless.md).",
		"Lo que sigue va en /etc/buzon/credentials, sin la #. No contiene ningún secreto:\nla clave del certificado se hizo en esta máquina y se queda en ella (docs/es/keyless.md).",
	},
	"config-about": {
		"# The agent's configuration for %s, made from the stack by scripts/agent-config.\n# It belongs in /etc/buzon/agent.yaml; it holds no secret.",
		"# La configuración del agente para %s, hecha a partir de la pila por scripts/agent-config.\n# Su sitio es /etc/buzon/agent.yaml; no contiene ningún secreto.",
	},

	"remedy-again":       {"Interrupted. The same command goes on from where it stopped.", "Interrumpido. La misma orden continúa desde donde se detuvo."},
	"remedy-credentials": {"These commands need the platform team's credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.", "Estas órdenes necesitan las credenciales del equipo de plataforma: defina AWS_PROFILE, o AWS_ACCESS_KEY_ID y AWS_SECRET_ACCESS_KEY."},
	"remedy-region":      {"Say which Region is meant:  export AWS_REGION=eu-west-1", "Indique de qué región se trata:  export AWS_REGION=eu-west-1"},
	"remedy-denied":      {"The rights that these commands need are listed in docs/en/deploying.md, \"Keys\".", "Los permisos que necesitan estas órdenes están en docs/es/deploying.md, «Claves»."},
	"remedy-network":     {"Nobody answered. Is the network there, and are AWS_REGION and AWS_ENDPOINT_URL right?", "No respondió nadie. ¿Hay red, y son correctos AWS_REGION y AWS_ENDPOINT_URL?"},
	"remedy-path":        {"Make the folder first, or name another file with -o.", "Cree antes la carpeta, o indique otro archivo con -o."},

	"read-synthesis": {"read what was synthesized: %w", "leer lo sintetizado: %w"},
	"write-stacks":   {"note which stacks are destroyed: %w", "anotar qué pilas se destruyen: %w"},
	"unread-stack": {
		"The stack %s could not be compared with what is deployed: %v.\nIt needs cloudformation:DescribeStacks and GetTemplate, or the CDK's role for looking things up.",
		"No se pudo comparar la pila %s con lo desplegado: %v.\nHacen falta cloudformation:DescribeStacks y GetTemplate, o el rol de consulta del CDK.",
	},
	"no-template": {"the template of the stack %s is not the CDK's: %w", "la plantilla de la pila %s no es del CDK: %w"},
	"failed-first": {
		"the first deploy of the stack %s failed, and what is left of it is protected against deletion, so it can't be deployed over.\nRemove it:  scripts/cdk destroy\nThen mend what made it fail, and deploy again.",
		"el primer despliegue de la pila %s falló, y lo que queda de ella está protegido contra el borrado, así que no se puede desplegar encima.\nElimínela:  scripts/cdk destroy\nDespués corrija lo que la hizo fallar y despliegue otra vez.",
	},
	"bucket-replaced": {
		"The bucket %s would be replaced by a new, empty one; it would stay behind, outside the stack, and the VMs would go on writing to it until they have a new agent.yaml.",
		"El bucket %s se reemplazaría por otro nuevo y vacío; quedaría atrás, fuera de la pila, y las VM seguirían escribiendo en él hasta tener un agent.yaml nuevo.",
	},
	"prefix-moves": {
		"The uploaders' prefix would move from %s to %s; each VM that runs is refused until it has a new agent.yaml. After the deploy, for each:  scripts/agent-config NAME",
		"El prefijo de los remitentes pasaría de %s a %s; cada VM en marcha será rechazada hasta tener un agent.yaml nuevo. Después del despliegue, para cada una:  scripts/agent-config NOMBRE",
	},
	"path-moves": {
		"The uploaders' IAM path would move from %s to %s; each agent that runs expects the old ARN and stops. After the deploy, for each VM:  scripts/agent-config NAME",
		"La ruta de IAM de los remitentes pasaría de %s a %s; cada agente en marcha espera el ARN anterior y se detiene. Después del despliegue, para cada VM:  scripts/agent-config NOMBRE",
	},
	"moves": {
		"%s would move to another stack; IAM has its name already when that stack wants to make it, so the deploy fails. See docs/en/deploying.md, \"Fleets\".",
		"%s pasaría a otra pila; IAM ya tiene su nombre cuando esa pila quiera crearlo, así que el despliegue falla. Véase docs/es/deploying.md, «Flotas».",
	},
	"leaves-with-key": {
		"%s would leave the stack, and has a key (%s); CloudFormation can't delete its user, and user and key would stay behind outside the stack. First:  scripts/revoke-key %[1]s",
		"%s dejaría la pila, y tiene una clave (%s); CloudFormation no puede eliminar su usuario, y usuario y clave quedarían atrás fuera de la pila. Antes:  scripts/revoke-key %[1]s",
	},
	"leaves-unread": {
		"%s would leave the stack, and whether it has a key could not be read: %v. It needs iam:ListAccessKeys. First:  scripts/revoke-key %[1]s",
		"%s dejaría la pila, y no se pudo leer si tiene una clave: %v. Hace falta iam:ListAccessKeys. Antes:  scripts/revoke-key %[1]s",
	},
	"confirmed":  {"Confirmed: %s.", "Confirmado: %s."},
	"would-stop": {"A deploy would stop here: %s", "Un despliegue se detendría aquí: %s"},
	"not-deployed": {
		"not deployed, for it would lose what is live.\n%s\nIf it must be so, confirm it:  scripts/cdk deploy -c confirm=%s",
		"no se despliega, porque se perdería algo que está en uso.\n%s\nSi ha de ser así, confírmelo:  scripts/cdk deploy -c confirm=%s",
	},
	"lift":   {"lift the protection of the stack %s: %w", "quitar la protección de la pila %s: %w"},
	"lifted": {"The first deploy of the stack %s failed, so there is nothing to protect: its protection against deletion is lifted.", "El primer despliegue de la pila %s falló, así que no hay nada que proteger: se quita su protección contra el borrado."},
	"stayed": {
		"These outlived the stack, on purpose, with whatever they hold:\n%s\nTo take them back into a stack: docs/en/deploying.md, \"Deploying again over a retained bucket\".",
		"Esto queda después de la pila, a propósito, con todo su contenido:\n%s\nPara volver a incluirlo en una pila: docs/es/deploying.md, «Desplegar de nuevo sobre un bucket conservado».",
	},
}
