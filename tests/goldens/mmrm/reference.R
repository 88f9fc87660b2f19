# Rscript reference.R > raw_output.txt   (in this folder). Debian 12: r-cran-nlme, r-cran-lme4, r-cran-lmertest, r-cran-pbkrtest.
suppressPackageStartupMessages({library(nlme); library(lme4); library(lmerTest); library(pbkrtest)})
options(digits = 12, width = 140)
d <- read.csv("fev_data.csv")
d <- d[!is.na(d$FEV1), ]
d$visit <- as.integer(sub("VIS", "", d$AVISIT))
d$arm <- as.integer(d$ARMCD == "TRT")
f <- FEV1 ~ RACE + SEX + AVISIT + arm:AVISIT
out <- NULL
put <- function(model, software, quantity, term, value)
  out <<- rbind(out, data.frame(model, software, quantity, term, value = sprintf("%.12g", value)))
terms <- paste0("AVISITVIS", 1:4, ":arm")
structures <- list("unstructured" = corSymm(form = ~ visit | USUBJID), "ar1" = corAR1(form = ~ visit | USUBJID),
                   "compound symmetry" = corCompSymm(form = ~ visit | USUBJID))
for (name in names(structures)) {
  weights <- if (name == "unstructured") varIdent(form = ~ 1 | AVISIT) else NULL
  g <- gls(f, d, correlation = structures[[name]], weights = weights, method = "REML",
           control = glsControl(tolerance = 1e-12, msTol = 1e-14, maxIter = 500, msMaxIter = 500))
  print(summary(g))
  tt <- summary(g)$tTable
  for (term in c(terms, "RACEWhite", "SEXMale")) {
    put(name, "nlme", "estimate", term, tt[term, "Value"])
    put(name, "nlme", "standard_error", term, tt[term, "Std.Error"])
  }
  put(name, "nlme", "log_likelihood", "", as.numeric(logLik(g)))
}
m <- lmer(update(f, . ~ . + (1 | USUBJID)), d, REML = TRUE, 
          control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e6)))
s <- coef(summary(m, ddf = "Satterthwaite"))
print(s)
V <- vcovAdj(m)
for (term in terms) {
  l <- as.numeric(names(fixef(m)) == term)
  put("compound symmetry", "pbkrtest", "standard_error", term, sqrt(sum(l * (V %*% l))))
  put("compound symmetry", "pbkrtest", "df", term, get_Lb_ddf(m, l))
  put("compound symmetry", "lmerTest", "df", term, s[term, "df"])
}
write.csv(out, "reference.csv", row.names = FALSE, quote = FALSE)
cat(R.version.string, "\n", file = "versions.txt")
for (p in c("nlme", "lme4", "lmerTest", "pbkrtest")) cat(p, as.character(packageVersion(p)), "\n", file = "versions.txt", append = TRUE)
