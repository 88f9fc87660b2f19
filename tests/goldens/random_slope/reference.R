# Rscript reference.R > raw_output.txt   (in this folder). Debian 12: r-cran-lmertest, r-cran-nlme.
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(pbkrtest); library(nlme)})
options(digits = 12, width = 140)
strict <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e6), check.conv.singular = "ignore")
out <- NULL
put <- function(data, model, software, quantity, value)
  out <<- rbind(out, data.frame(data, model, software, quantity, value = sprintf("%.12g", value)))
formulas <- list(common = score ~ month + month:arm, main = score ~ month * arm,
                 covariate = score ~ month * age + month:arm)
for (name in c("scheduled", "actual_days", "edge")) {
  d <- read.csv(paste0(name, ".csv"))
  for (model in names(formulas)) {
    if (name != "scheduled" && model != "common") next
    f <- formulas[[model]]
    fit <- lmer(update(f, . ~ . + (month | id)), d, REML = TRUE, control = strict)
    s <- coef(summary(fit, ddf = "Satterthwaite"))
    print(summary(fit, ddf = "Satterthwaite"))
    term <- "month:arm"
    put(name, model, "lmerTest", "estimate", s[term, "Estimate"])
    put(name, model, "lmerTest", "standard_error", s[term, "Std. Error"])
    put(name, model, "lmerTest", "df", s[term, "df"])
    put(name, model, "lmerTest", "p_value", s[term, "Pr(>|t|)"])
    # For one contrast the Kenward-Roger df is Satterthwaite's with expected information.
    put(name, model, "pbkrtest", "df", get_Lb_ddf(fit, as.numeric(names(fixef(fit)) == term)))
    adjusted <- as.matrix(vcovAdj(fit))
    k <- which(names(fixef(fit)) == term)
    put(name, model, "pbkrtest", "standard_error", sqrt(adjusted[k, k]))
    put(name, model, "pbkrtest", "covariance_11", adjusted[1, 1])
    put(name, model, "pbkrtest", "covariance_12", adjusted[1, which(names(fixef(fit)) == "month")])
    print(adjusted)
    put(name, model, "lmerTest", "log_likelihood", as.numeric(logLik(fit)))
    v <- as.data.frame(VarCorr(fit), order = "lower.tri")$vcov
    for (k in 1:4) put(name, model, "lmerTest", c("d00", "d01", "d11", "sigma2")[k], v[k])
    if (name != "edge") {
      g <- lme(f, random = ~ month | id, data = d, method = "REML",
               control = lmeControl(tolerance = 1e-12, msTol = 1e-12, msMaxIter = 500, niterEM = 200))
      tt <- summary(g)$tTable
      print(summary(g))
      row <- intersect(c("month:arm", "arm:month"), rownames(tt))
      put(name, model, "nlme", "estimate", tt[row, "Value"])
      put(name, model, "nlme", "standard_error", tt[row, "Std.Error"])
    }
  }
}
write.csv(out, "reference.csv", row.names = FALSE, quote = FALSE)
